import type { Settings } from '../config/settings.ts';
import type { TaskStore } from '../stores/task-store.ts';
import type { TaskEvent } from '../task/events.ts';
import type { Task } from '../task/task.ts';
import type { TaskDetail, TaskEventDetail, TaskSummary } from './schemas/tasks.ts';

/** Ended tasks that the guess of a wait is made from. */
const RECENT_TASKS = 20;

interface DetailDeps {
  stores: { tasks: Pick<TaskStore, 'queuePosition' | 'list'> };
  settings: Pick<Settings, 'max_active_per_user'>;
}

export async function toDetail({ stores, settings }: DetailDeps, task: Task): Promise<TaskDetail> {
  const { session, channel_metadata: _channel, ...fields } = task;
  const position = task.status === 'QUEUED' ? await stores.tasks.queuePosition(task.task_id) : null;
  return {
    ...fields,
    branch_name: branchOf(task),
    session_id: session?.id ?? null,
    duration_s: durationOf(task),
    queue_position: position,
    estimated_wait_s:
      position === null
        ? null
        : estimateWait(position, settings.max_active_per_user, await recentDurations(stores, task.user_id)),
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

/** Slots free up one after another: a queue of `position` tasks moves by a task each `duration / slots`. */
export function estimateWait(position: number, slots: number, durations: readonly number[]): number | null {
  if (durations.length === 0) return null;
  const mean = durations.reduce((sum, seconds) => sum + seconds, 0) / durations.length;
  return Math.ceil((mean * (position + 1)) / slots);
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
