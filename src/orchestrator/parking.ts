import { CallbackTimeoutError, type DurableContext } from '@aws/durable-execution-sdk-js';
import type { DurableRuntime } from '../runtime/runtime.ts';
import type { Stores } from '../stores/stores.ts';
import { completeParked } from './waker.ts';

/** Waits until somebody wakes the task, at most `seconds` (1 at least). Costs four operations of the execution. */
export async function park(
  ctx: DurableContext,
  name: string,
  {
    taskId,
    seconds,
    stores,
    runtime,
  }: { taskId: string; seconds: number; stores: Pick<Stores, 'wakeups'>; runtime: DurableRuntime },
): Promise<void> {
  try {
    await ctx.waitForCallback(
      name,
      async (callbackId) => {
        const { pending } = await stores.wakeups.park(taskId, callbackId);
        // A signal that came while the workflow was busy: don't sleep over it.
        if (pending) await completeParked(runtime, callbackId);
      },
      { timeout: { seconds: Math.max(1, Math.ceil(seconds)) } },
    );
  } catch (error) {
    if (!(error instanceof CallbackTimeoutError)) throw error;
  }
}
