import type { ErrorCode } from '../../task/errors.ts';
import { codeOf } from '../../task/errors.ts';
import type { NewEvent } from '../../task/events.ts';
import { isTerminal } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';
import type { Claim } from '../claim.ts';
import { type Conclusion, concludeFailure } from '../conclusions.ts';
import type { OrchestratorDeps } from '../dependencies.ts';

/** Writes a task's end: status, the release of its slot, what led to it and its terminal event, in one write. */
export async function writeEnd(
  deps: OrchestratorDeps,
  task: Task,
  conclusion: Conclusion,
  before: readonly NewEvent[] = [],
): Promise<void> {
  const { stores, now } = deps;
  await stores.tasks.transition(
    task.task_id,
    {
      from: task.status,
      to: conclusion.status,
      attempt: task.attempt,
      patch: { ...conclusion.patch, completed_at: new Date(now()).toISOString() },
    },
    [...before, conclusion.event],
  );
}

/** Ends a task that can't go on. A session that it may have is stopped first, so the end is true when it is said. */
export async function endWithFailure(
  deps: OrchestratorDeps,
  claim: Claim,
  code: ErrorCode,
  message: string,
): Promise<void> {
  const task = await deps.stores.tasks.get(claim.taskId);
  if (!task || isTerminal(task.status) || task.attempt !== claim.attempt) return;
  if (task.session !== null)
    await deps
      .computeFor(task.session.type)
      .stop(task.session, { graceMs: deps.settings.cancel_grace_s * 1_000 });
  await writeEnd(deps, task, concludeFailure(task, code, message));
}

/** A freed slot admits the next task at once; the sweep of the reconciler only backs this up. */
export async function wakeAdmissible({ stores, waker, settings, log }: OrchestratorDeps): Promise<void> {
  const limits = { perUser: settings.max_active_per_user, system: settings.max_active_system };
  for (const taskId of await stores.tasks.admissible(limits, 10)) {
    await waker.wake(taskId).catch((error: unknown) => {
      log.warn(
        { event: 'orchestrator.wake.failed', task_id: taskId, code: codeOf(error), error: String(error) },
        'could not wake a queued task',
      );
    });
  }
}
