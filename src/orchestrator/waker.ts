import type { DurableRuntime } from '../runtime/runtime.ts';
import type { Stores } from '../stores/stores.ts';
import { codeOf } from '../task/errors.ts';
import type { Log } from './dependencies.ts';

/** Tells a task's workflow to look at the world again. */
export interface Waker {
  wake(taskId: string): Promise<void>;
}

/**
 * A signal is first made durable, then completes the parked callback. If nothing is parked, the workflow finds the signal
 * when it parks; if the process dies in between, the callback's timeout finds it.
 */
export function createWaker({
  stores,
  runtime,
  log,
}: {
  stores: Pick<Stores, 'wakeups'>;
  runtime: DurableRuntime;
  log: Log;
}): Waker {
  return {
    async wake(taskId) {
      const callbackId = await stores.wakeups.signal(taskId);
      if (callbackId === null) return;
      try {
        await runtime.completeCallback(callbackId, 'woken');
      } catch (error) {
        const code = codeOf(error);
        // Somebody else woke it, its timeout came first, or its execution was stopped: it is awake in any case.
        if (code !== 'CALLBACK_CLOSED' && code !== 'CALLBACK_NOT_FOUND') throw error;
        log.debug(
          { event: 'orchestrator.wake.closed', task_id: taskId, code },
          'callback was closed already',
        );
      }
    },
  };
}
