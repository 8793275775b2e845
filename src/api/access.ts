import type { Stores } from '../stores/stores.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Task } from '../task/task.ts';
import { hasScope, type Principal } from './api-keys.ts';

/** The task, if the caller may see it. Throws TASK_NOT_FOUND, FORBIDDEN. */
export async function visibleTask(
  { tasks }: Pick<Stores, 'tasks'>,
  principal: Principal,
  taskId: string,
): Promise<Task> {
  const task = await tasks.get(taskId);
  if (!task) throw new BgAgentError('TASK_NOT_FOUND', `no task ${taskId}`);
  if (task.user_id !== principal.userId && !hasScope(principal, 'admin'))
    throw new BgAgentError('FORBIDDEN', `task ${taskId} belongs to another user`);
  return task;
}
