import type { Stores } from '../stores/stores.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Task } from '../task/task.ts';
import { hasScope, type Principal } from './api-keys.ts';

/** Users see what is theirs, admins see all. */
export const maySee = (principal: Principal, userId: string): boolean =>
  userId === principal.userId || hasScope(principal, 'admin');

/** Whose things a list shows the caller; undefined = everyone's. */
export const ownerSeenBy = (principal: Principal): string | undefined =>
  hasScope(principal, 'admin') ? undefined : principal.userId;

/** The task, if the caller may see it. Throws TASK_NOT_FOUND, FORBIDDEN. */
export async function visibleTask(
  { tasks }: Pick<Stores, 'tasks'>,
  principal: Principal,
  taskId: string,
): Promise<Task> {
  const task = await tasks.get(taskId);
  if (!task) throw new BgAgentError('TASK_NOT_FOUND', `no task ${taskId}`);
  if (!maySee(principal, task.user_id))
    throw new BgAgentError('FORBIDDEN', `task ${taskId} belongs to another user`);
  return task;
}
