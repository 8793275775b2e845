import { payloadKey } from '../../task/blob-keys.ts';
import type { Task } from '../../task/task.ts';
import type { Claim } from '../claim.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { wakeAdmissible } from './end.ts';

/** Time a runner gets to leave by itself after its outcome was accepted. */
const LEAVE_MS = 10_000;

/** After the end: room for the next in the queue, and nothing of the attempt is left. */
export async function cleanUp(deps: OrchestratorDeps, claim: Claim): Promise<void> {
  await wakeAdmissible(deps);
  const task = await deps.stores.tasks.get(claim.taskId);
  if (!task || task.attempt !== claim.attempt) return;
  if (task.session !== null) {
    const strategy = deps.computeFor(task.session.type);
    await strategy.stop(task.session, { graceMs: LEAVE_MS });
    if (!keepsWorkspace(task, deps)) await strategy.cleanUp(task.session);
  }
  await deps.blobs.delete(payloadKey(claim.taskId, claim.attempt));
  await deps.stores.wakeups.forget(claim.taskId);
}

/** A failed task's workspace may be kept for a look; the reconciler of orphans removes it later. */
export function keepsWorkspace(
  task: Pick<Task, 'status' | 'completed_at'>,
  { settings, now }: Pick<OrchestratorDeps, 'settings' | 'now'>,
): boolean {
  if (task.status !== 'FAILED' || task.completed_at === null) return false;
  return now() < Date.parse(task.completed_at) + settings.failed_workspace_keep_s * 1_000;
}
