import { codeOf, messageOf } from '../../task/errors.ts';
import { executionName, type Task } from '../../task/task.ts';
import { concludeFailure } from '../conclusions.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { startAttempt } from '../driver.ts';
import { startNextAttempt } from '../steps/next-attempt.ts';
import { tasksUnderWay } from '../under-way.ts';

/**
 * Tasks that nothing drives: their execution was never started, or has ended without them. They are started again with the
 * next attempt, and failed only when the attempts are spent. Returns how many it moved.
 */
export async function reconcileStranded(deps: OrchestratorDeps): Promise<number> {
  let moved = 0;
  for await (const task of tasksUnderWay(deps.stores)) {
    try {
      if (await reconcileOne(deps, task)) moved += 1;
    } catch (error) {
      // Somebody else moved it meanwhile, or the engine is down: the next sweep looks again.
      deps.log.warn(
        {
          event: 'reconciler.stranded.failed',
          task_id: task.task_id,
          code: codeOf(error),
          error: messageOf(error),
        },
        'could not reconcile a task',
      );
    }
  }
  return moved;
}

async function reconcileOne(deps: OrchestratorDeps, task: Task): Promise<boolean> {
  const execution = await lookUp(deps, task);
  if (execution === 'running') return false;
  if (execution === 'never started') {
    await startAttempt(deps, task);
    deps.log.info(
      { event: 'reconciler.stranded.started', task_id: task.task_id, attempt: task.attempt },
      'started an execution that was missing',
    );
    return true;
  }
  // Read again: it may have ended while we looked.
  const current = await deps.stores.tasks.get(task.task_id);
  if (!current || current.status !== task.status || current.attempt !== task.attempt) return false;
  if (task.attempt >= deps.settings.start_attempts) await giveUp(deps, current, execution);
  else await startNextAttempt(deps, current, execution);
  return true;
}

async function lookUp(
  { runtime }: OrchestratorDeps,
  task: Task,
): Promise<'running' | 'never started' | string> {
  try {
    const { status, error } = await runtime.describe(executionName(task.task_id, task.attempt));
    return status === 'RUNNING'
      ? 'running'
      : `its execution ended as ${status}${error ? `: ${error.message}` : ''}`;
  } catch (error) {
    if (codeOf(error) === 'EXECUTION_NOT_FOUND') return 'never started';
    throw error;
  }
}

async function giveUp(deps: OrchestratorDeps, task: Task, reason: string): Promise<void> {
  if (task.session !== null)
    await deps
      .computeFor(task.session.type)
      .stop(task.session, { graceMs: deps.settings.cancel_grace_s * 1_000 });
  const message = `${task.attempt} attempts were spent; ${reason}`;
  const conclusion =
    task.cancel_requested_at === null
      ? concludeFailure(task, 'TASK_STRANDED', message)
      : concludeFailure(task, 'CANCELLED_BY_USER', message);
  const ageSeconds = Math.round((deps.now() - Date.parse(task.updated_at)) / 1_000);
  await deps.stores.tasks.transition(
    task.task_id,
    {
      from: task.status,
      to: conclusion.status,
      attempt: task.attempt,
      patch: { ...conclusion.patch, completed_at: new Date(deps.now()).toISOString() },
    },
    [
      { type: 'task_stranded', metadata: { prior_status: task.status, age_seconds: ageSeconds } },
      conclusion.event,
    ],
  );
}
