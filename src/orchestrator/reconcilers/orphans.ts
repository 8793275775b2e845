import { codeOf, messageOf } from '../../task/errors.ts';
import { isTerminal } from '../../task/status.ts';
import type { Session } from '../../task/task.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { keepsWorkspace } from '../steps/clean-up.ts';

/** Sessions whose task has ended, is gone, or has moved on to a later attempt: stopped and removed. Returns how many. */
export async function reconcileOrphans(deps: OrchestratorDeps): Promise<number> {
  let removed = 0;
  for (const strategy of deps.computes) {
    for (const session of await strategy.list()) {
      if (await isWanted(deps, session)) continue;
      try {
        await strategy.stop(session, { graceMs: deps.settings.cancel_grace_s * 1_000 });
        await strategy.cleanUp(session);
        removed += 1;
        deps.log.warn(
          { event: 'reconciler.orphan_stopped', session_id: session.id, compute_type: session.type },
          'stopped a session without a live task',
        );
      } catch (error) {
        deps.log.error(
          {
            event: 'reconciler.orphan.failed',
            error_id: 'ORPHAN_NOT_STOPPED',
            session_id: session.id,
            compute_type: session.type,
            error: messageOf(error),
          },
          'could not stop a session without a live task',
        );
      }
    }
  }
  return removed;
}

async function isWanted(deps: OrchestratorDeps, session: Session): Promise<boolean> {
  const [, taskId = '', attempt = ''] = /^(.+)-(\d+)$/.exec(session.id) ?? [];
  const task = await deps.stores.tasks.get(taskId);
  if (!task) return false;
  if (!isTerminal(task.status)) return task.attempt === Number(attempt);
  if (keepsWorkspace(task, deps)) return true;
  // Just ended: its own execution cleans up.
  try {
    return (await deps.runtime.describe(session.id)).status === 'RUNNING';
  } catch (error) {
    if (codeOf(error) === 'EXECUTION_NOT_FOUND') return false;
    throw error;
  }
}
