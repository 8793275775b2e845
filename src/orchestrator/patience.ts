import type { DurableContext } from '@aws/durable-execution-sdk-js';
import type { Claim } from './claim.ts';
import type { OrchestratorDeps } from './dependencies.ts';

/**
 * Waits the whole time, whatever wakes the task meanwhile, unless somebody asks for its end. For waits that a server asked for:
 * an early look would only make it longer.
 */
export async function waitOut(
  { stores, now }: Pick<OrchestratorDeps, 'stores' | 'now'>,
  claim: Claim,
  {
    ctx,
    name,
    seconds,
    sleep,
  }: {
    ctx: DurableContext;
    name: string;
    seconds: number;
    sleep(name: string, seconds: number): Promise<void>;
  },
): Promise<void> {
  const until = await ctx.step(`${name}: until`, async () => now() + seconds * 1_000);
  for (let looks = 1; ; looks += 1) {
    const left = await ctx.step(`${name}: left ${looks}`, async () => {
      await stores.wakeups.take(claim.taskId);
      const task = await stores.tasks.get(claim.taskId);
      // Whatever comes next finds out that the task is not this attempt's any more.
      const isOver = task?.attempt !== claim.attempt || task.cancel_requested_at !== null;
      return isOver ? 0 : (until - now()) / 1_000;
    });
    if (left <= 0) return;
    await sleep(`${name}: ${looks}`, left);
  }
}
