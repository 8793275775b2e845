import { isTerminal } from '../../task/status.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { wakeAdmissible } from '../steps/end.ts';

/** Slots that belong to no live task are given back; then whoever has room is woken. Returns how many slots were freed. */
export async function reconcileSlots(deps: OrchestratorDeps): Promise<number> {
  let freed = 0;
  for (const { userId, taskId } of await deps.stores.tasks.slots()) {
    const task = await deps.stores.tasks.get(taskId);
    if (task && !isTerminal(task.status)) continue;
    if (await deps.stores.tasks.releaseStaleSlot(userId, taskId)) {
      freed += 1;
      deps.log.warn(
        { event: 'reconciler.slot.released', task_id: taskId, user_id: userId },
        'released a slot that belonged to no live task',
      );
    }
  }
  await wakeAdmissible(deps);
  return freed;
}
