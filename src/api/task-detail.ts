import type { Settings } from '../config/settings.ts';
import type { TaskStore } from '../stores/task-store.ts';
import type { TaskEvent } from '../task/events.ts';
import type { Task } from '../task/task.ts';
import type { TaskDetail, TaskEventDetail, TaskSummary } from './schemas/tasks.ts';

/** Ended tasks that the guess of a wait is made from. */
const RECENT_TASKS = 20;

interface DetailDeps {
  stores: { tasks: Pick<TaskStore, 'queuePosition' | 'ownQueuePosition' | 'list'> };
  settings: Pick<Settings, 'max_active_per_user' | 'max_active_system'>;
  computes: readonly { type: string; maxSessions: number | null }[];
}

export async function toDetail(deps: DetailDeps, task: Task): Promise<TaskDetail> {
  const { session, channel_metadata: _channel, ...fields } = task;
  const position = task.status === 'QUEUED' ? await deps.stores.tasks.queuePosition(task.task_id) : null;
  return {
    ...fields,
    branch_name: branchOf(task),
    session_id: session?.id ?? null,
    duration_s: durationOf(task),
    queue_position: position,
    estimated_wait_s: position === null ? null : await guessWait(deps, task, position),
    resolved_assets: null,
    otel_trace_id: null,
    trace_s3_uri: null,
    artifact_uri: null,
    attachments: null,
    approval_gate_count: null,
    approval_gate_cap: null,
    awaiting_approval_request_id: null,
  };
}

export const toSummary = (task: Task): TaskSummary => ({
  task_id: task.task_id,
  status: task.status,
  repo: task.repo,
  issue_number: task.issue_number,
  resolved_workflow: task.resolved_workflow,
  resolved_assets: null,
  pr_number: task.pr_number,
  task_description: task.task_description,
  branch_name: branchOf(task),
  pr_url: task.pr_url,
  created_at: task.created_at,
  updated_at: task.updated_at,
});

export const toEvent = (event: TaskEvent): TaskEventDetail => ({ ...event, trace_id: null });

/** What a task waits for: its turn among the tasks that are before it, with so many slots for them. */
interface Line {
  before: number;
  slots: number;
}

/** Two lines at once: the user's own tasks before the user's slots, and everyone's before the system's and the backend's. */
async function guessWait(
  { stores, settings, computes }: DetailDeps,
  { task_id, user_id, compute_type }: Task,
  position: number,
): Promise<number | null> {
  const [own, durations] = await Promise.all([
    stores.tasks.ownQueuePosition(task_id),
    recentDurations(stores, user_id),
  ]);
  const room = computes.find(({ type }) => type === compute_type)?.maxSessions ?? Number.POSITIVE_INFINITY;
  const everyone = Math.min(settings.max_active_system, room);
  return estimateWait(
    [
      { before: own ?? position, slots: Math.min(settings.max_active_per_user, everyone) },
      { before: position, slots: everyone },
    ],
    durations,
  );
}

/** Slots free up one after another: a line of tasks moves by one each `duration / slots`. The slowest line counts. */
export function estimateWait(lines: readonly Line[], durations: readonly number[]): number | null {
  if (durations.length === 0) return null;
  const mean = durations.reduce((sum, seconds) => sum + seconds, 0) / durations.length;
  return Math.ceil(Math.max(...lines.map(({ before, slots }) => (mean * (before + 1)) / slots)));
}

async function recentDurations({ tasks }: DetailDeps['stores'], userId: string): Promise<number[]> {
  const { items } = await tasks.list({
    userId,
    statuses: ['COMPLETED', 'FAILED', 'TIMED_OUT'],
    limit: RECENT_TASKS,
  });
  return items.map(durationOf).filter((seconds) => seconds !== null);
}

const branchOf = ({ branch_name, pr_number }: Task): string | null =>
  branch_name ?? (pr_number === null ? null : 'pending:pr_resolution');

const durationOf = ({ started_at, completed_at }: Task): number | null =>
  started_at === null || completed_at === null
    ? null
    : Math.max(0, (Date.parse(completed_at) - Date.parse(started_at)) / 1_000);
