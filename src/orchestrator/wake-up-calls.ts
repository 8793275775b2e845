import { messageOf } from '../task/errors.ts';
import type { OrchestratorDeps } from './dependencies.ts';
import { tasksIn, tasksUnderWay } from './under-way.ts';

type WakingDeps = Pick<OrchestratorDeps, 'stores' | 'waker' | 'log'>;

/** After a start of the platform: every task looks at once at what happened meanwhile. */
export async function wakeAllUnderWay(deps: WakingDeps): Promise<void> {
  for await (const task of tasksUnderWay(deps.stores)) await wake(deps, task.task_id);
}

/**
 * Room on a backend: tasks that wait for it look again, the longest waiting first. One whose place was taken away waits while it is
 * RUNNING.
 */
export async function wakeWaitingForRoom(deps: WakingDeps): Promise<void> {
  try {
    for await (const task of tasksIn(deps.stores, ['HYDRATING', 'RUNNING']))
      if (task.waiting_for !== null) await wake(deps, task.task_id);
  } catch (error) {
    deps.log.warn(
      { event: 'orchestrator.wake.failed', error: messageOf(error) },
      'could not look for waiting tasks',
    );
  }
}

async function wake({ waker, log }: WakingDeps, taskId: string): Promise<void> {
  await waker.wake(taskId).catch((error: unknown) => {
    log.warn(
      { event: 'orchestrator.wake.failed', task_id: taskId, error: messageOf(error) },
      'could not wake a task',
    );
  });
}
