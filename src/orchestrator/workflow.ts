import type { DurableContext } from '@aws/durable-execution-sdk-js';
import type { Claim } from './claim.ts';
import { freshCounters, queuePollSeconds } from './decisions.ts';
import type { OrchestratorDeps } from './dependencies.ts';
import { park } from './parking.ts';
import { settle, TaskFailure } from './settle.ts';
import { admit } from './steps/admit.ts';
import { cleanUp } from './steps/clean-up.ts';
import { endWithFailure } from './steps/end.ts';
import { hydrate } from './steps/hydrate.ts';
import { handOver } from './steps/next-attempt.ts';
import { observe, stopSession } from './steps/observe.ts';
import { startSession } from './steps/start-session.ts';

/** The name under which the workflow is registered with the runtime. */
export const TASK_WORKFLOW = 'task';

/**
 * The life of one attempt of a task: admit → hydrate → start a session → await its outcome → clean up.
 * It sleeps on a callback between steps and is woken by whoever has news (a report, an exit, a cancel, a freed slot);
 * the callback's timeout is the slow safety poll.
 */
export function createTaskWorkflow(deps: OrchestratorDeps) {
  return async (claim: Claim, ctx: DurableContext): Promise<{ ended: true }> => {
    const sleep = (name: string, seconds: number) =>
      park(ctx, name, { taskId: claim.taskId, seconds, ...deps });
    const step = <T>(name: string, work: () => Promise<T>) => settle(ctx, name, work, sleep);
    try {
      for (
        let looks = 1;
        (await step(`admit ${looks}`, () => admit(deps, claim))).kind === 'queued';
        looks += 1
      )
        await sleep(`queue ${looks}`, queuePollSeconds(looks));

      await step('hydrate', () => hydrate(deps, claim));

      for (
        let looks = 1;
        (await step(`start ${looks}`, () => startSession(deps, claim))).kind === 'waiting';
        looks += 1
      )
        await sleep(`capacity ${looks}`, queuePollSeconds(looks));

      await awaitOutcome(deps, claim, step, sleep);
    } catch (error) {
      // Anything else is the engine's: the execution fails, and the reconciler starts a new attempt.
      if (!(error instanceof TaskFailure)) throw error;
      // EPOCH_STALE: another attempt drives the task, or it has ended; its end is none of ours.
      if (error.code !== 'EPOCH_STALE')
        await ctx.step('fail', () => endWithFailure(deps, claim, error.code, error.message));
    }
    await ctx.step('clean up', () => cleanUp(deps, claim));
    return { ended: true };
  };
}

type Step = <T>(name: string, work: () => Promise<T>) => Promise<T>;

async function awaitOutcome(
  deps: OrchestratorDeps,
  claim: Claim,
  step: Step,
  sleep: (name: string, seconds: number) => Promise<void>,
): Promise<void> {
  let counters = freshCounters;
  let seconds = deps.settings.safety_poll_s;
  for (let looks = 1; ; looks += 1) {
    await sleep(`outcome ${looks}`, seconds);
    const seen = counters;
    const look = await step(`look ${looks}`, () => observe(deps, claim, seen));
    if (look.kind === 'ended') return;
    if (look.kind === 'fail') throw new TaskFailure(look.code, look.message);
    if (look.kind === 'restart') {
      await step('restart', () => handOver(deps, claim, look.reason));
      return;
    }
    if (look.kind === 'stop') {
      await step('stop', () => stopSession(deps, claim, look.reason));
      return;
    }
    counters = look.counters;
    seconds = look.ms / 1_000;
  }
}
