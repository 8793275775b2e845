import { BgAgentError } from '../../task/errors.ts';
import { ACTIVE_STATUSES } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';
import { type Claim, ownWantedTask } from '../claim.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { wakeAdmissible } from './end.ts';

export type Admission = { kind: 'admitted' } | { kind: 'queued' };

/** Takes a slot of the user, or puts the task into the queue. Throws QUEUE_TIMEOUT when it has waited too long. */
export async function admit(deps: OrchestratorDeps, claim: Claim): Promise<Admission> {
  const { stores, settings, now } = deps;
  await stores.wakeups.take(claim.taskId);
  const task = await ownWantedTask(stores, claim);
  // A later attempt of a task that was running keeps its slot and its place in the life of the task.
  if (ACTIVE_STATUSES.some((status) => status === task.status)) return { kind: 'admitted' };

  const at = now();
  const queuedMs = task.queued_at === null ? 0 : at - Date.parse(task.queued_at);
  const answer = await stores.tasks.admit(
    task.task_id,
    { perUser: settings.max_active_per_user, system: settings.max_active_system, attempt: claim.attempt },
    {
      admitted_at: new Date(at).toISOString(),
      waiting_for: null,
      timings: { ...task.timings, queued_ms: queuedMs },
    },
    [
      { type: 'admission_granted', metadata: { queued_ms: queuedMs } },
      { type: 'hydration_started', metadata: {} },
    ],
  );
  if (answer.kind === 'admitted') return { kind: 'admitted' };

  if (queuedMs >= settings.queue_timeout_s * 1_000)
    throw new BgAgentError(
      'QUEUE_TIMEOUT',
      `waited ${Math.round(queuedMs / 1_000)} s for a slot: ${answer.reason}`,
    );
  if (task.status === 'SUBMITTED') {
    await enqueue(deps, task, claim, answer.reason, at);
    // A slot that was freed between the two writes had nobody in the queue to wake.
    await wakeAdmissible(deps);
  }
  return { kind: 'queued' };
}

async function enqueue(
  { stores }: OrchestratorDeps,
  task: Task,
  claim: Claim,
  reason: string,
  at: number,
): Promise<void> {
  await stores.tasks.transition(
    task.task_id,
    {
      from: 'SUBMITTED',
      to: 'QUEUED',
      attempt: claim.attempt,
      patch: {
        queued_at: task.queued_at ?? new Date(at).toISOString(),
        waiting_for: `a free slot: ${reason}`,
      },
    },
    [{ type: 'admission_queued', metadata: { reason } }],
  );
}
