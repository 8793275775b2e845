import type { DurableRuntime } from '../runtime/runtime.ts';
import type { Stores } from '../stores/stores.ts';
import { codeOf } from '../task/errors.ts';

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
}: {
  stores: Pick<Stores, 'wakeups'>;
  runtime: Pick<DurableRuntime, 'completeCallback'>;
}): Waker {
  return {
    async wake(taskId) {
      const callbackId = await stores.wakeups.signal(taskId);
      if (callbackId !== null) await completeParked(runtime, callbackId);
    },
  };
}

/**
 * Wakes whoever is parked on the callback. One that is closed already is as good: somebody else woke it, its timeout came first,
 * or its execution was stopped.
 */
export async function completeParked(
  runtime: Pick<DurableRuntime, 'completeCallback'>,
  callbackId: string,
): Promise<void> {
  try {
    await runtime.completeCallback(callbackId, 'woken');
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'CALLBACK_CLOSED' && code !== 'CALLBACK_NOT_FOUND') throw error;
  }
}
