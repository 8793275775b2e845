import type { Stores } from '../stores/stores.ts';
import { BgAgentError, codeOf } from '../task/errors.ts';
import { isTerminal, LIVE_STATUSES } from '../task/status.ts';
import type { Task } from '../task/task.ts';
import type { ApiDeps } from './deps.ts';

/**
 * Asks for the end of a task and waits a moment for it. Returns the task as it is then: CANCELLED when its session is proven
 * gone, else still under way (it goes on by itself). Throws TASK_ALREADY_TERMINAL.
 */
export async function cancelTask(deps: ApiDeps, task: Task, by: string): Promise<Task> {
  const { stores, driver, cancelWaitMs } = deps;
  await requestCancel(deps, task, by);
  await driver.wake(task.task_id);
  const after = await waitForEnd(stores, task.task_id, cancelWaitMs);
  // What was pushed in time wins over the cancel.
  if (isTerminal(after.status) && after.status !== 'CANCELLED') throw alreadyEnded(after);
  return after;
}

async function requestCancel({ stores, now }: ApiDeps, task: Task, by: string): Promise<void> {
  if (isTerminal(task.status)) throw alreadyEnded(task);
  if (task.cancel_requested_at !== null) return;
  try {
    await stores.tasks.update(
      task.task_id,
      {
        when: { statuses: LIVE_STATUSES, cancelRequested: false },
        patch: { cancel_requested_at: new Date(now()).toISOString() },
      },
      [{ type: 'cancel_requested', metadata: { by } }],
    );
  } catch (error) {
    if (codeOf(error) !== 'TASK_MOVED') throw error;
    const present = (await stores.tasks.get(task.task_id)) ?? task;
    if (isTerminal(present.status)) throw alreadyEnded(present);
    // Somebody else asked at the same moment: one request is enough.
    if (present.cancel_requested_at === null) throw error;
  }
}

const alreadyEnded = ({ task_id, status }: Task): BgAgentError =>
  new BgAgentError('TASK_ALREADY_TERMINAL', `task ${task_id} has ended as ${status}`);

async function waitForEnd({ tasks, events }: Stores, taskId: string, waitMs: number): Promise<Task> {
  const { promise: elapsed, resolve: giveUp } = Promise.withResolvers<'elapsed'>();
  const timer = setTimeout(() => giveUp('elapsed'), waitMs);
  let notify = (): void => undefined;
  const stop = events.subscribe(taskId, () => notify());
  try {
    for (;;) {
      const { promise: appended, resolve } = Promise.withResolvers<'appended'>();
      notify = () => resolve('appended');
      const task = await tasks.get(taskId);
      if (!task) throw new BgAgentError('TASK_NOT_FOUND', `no task ${taskId}`);
      if (isTerminal(task.status)) return task;
      if ((await Promise.race([appended, elapsed])) === 'elapsed') return (await tasks.get(taskId)) ?? task;
    }
  } finally {
    clearTimeout(timer);
    stop();
  }
}
