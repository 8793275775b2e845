import type { Stores } from '../stores/stores.ts';
import { BgAgentError } from '../task/errors.ts';
import { isTerminal } from '../task/status.ts';
import type { Task } from '../task/task.ts';

/** Which attempt of which task an execution drives; the input of the workflow. */
export interface Claim {
  taskId: string;
  attempt: number;
}

/** The task, if this attempt still drives it. Throws EPOCH_STALE when it has ended or another attempt has taken over. */
export async function ownTask(stores: Pick<Stores, 'tasks'>, { taskId, attempt }: Claim): Promise<Task> {
  const task = await stores.tasks.get(taskId);
  if (!task) throw new BgAgentError('EPOCH_STALE', `task ${taskId} is gone`);
  if (isTerminal(task.status))
    throw new BgAgentError('EPOCH_STALE', `task ${taskId} has ended as ${task.status}`);
  if (task.attempt !== attempt)
    throw new BgAgentError('EPOCH_STALE', `task ${taskId} is at attempt ${task.attempt}, not ${attempt}`);
  return task;
}

/** As `ownTask`, and throws CANCELLED_BY_USER when someone asked for the end: for steps before a session exists. */
export async function ownWantedTask(stores: Pick<Stores, 'tasks'>, claim: Claim): Promise<Task> {
  const task = await ownTask(stores, claim);
  if (task.cancel_requested_at !== null)
    throw new BgAgentError('CANCELLED_BY_USER', 'cancelled before a session was started');
  return task;
}
