import type { DurableContext } from '@aws/durable-execution-sdk-js';
import type { Claim } from './claim.ts';
import { freshCounters, queuePollSeconds, type StopReason } from './decisions.ts';
import type { OrchestratorDeps } from './dependencies.ts';
import { park } from './parking.ts';
import { waitOut } from './patience.ts';
import { settle, TaskFailure } from './settle.ts';
import { admit } from './steps/admit.ts';
import { cleanUp } from './steps/clean-up.ts';
import { endWithFailure } from './steps/end.ts';
import type { Finalized } from './steps/finalize.ts';
import { hydrate } from './steps/hydrate.ts';
import { handOver } from './steps/next-attempt.ts';
import { observe, stopSession } from './steps/observe.ts';
import { endUnpublished, publish } from './steps/publish.ts';
import { startSession } from './steps/start-session.ts';
import { takeUp } from './steps/take-up.ts';

/** The name under which the workflow is registered with the runtime. */
export const TASK_WORKFLOW = 'task';

/**
 * The life of one attempt of a task: admit → hydrate → start a session → await its outcome → publish it → clean up.
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

      const done =
        claim.attempt > 1 ? await step('take up', () => takeUp(deps, claim)) : ({ kind: 'nothing' } as const);
      const end = done.kind === 'nothing' ? await runSession(deps, claim, step, sleep) : done;
      if (end.kind === 'publish') await publishWork(deps, claim, { ctx, sleep, stop: end.stop });
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

type Sleep = (name: string, seconds: number) => Promise<void>;

/** Seconds between tries to publish good work: a forge may be away for an hour. */
export const PUBLISH_BACKOFF_SECONDS = [2, 10, 60, 300, 900, 1_800, 3_600];

async function publishWork(
  deps: OrchestratorDeps,
  claim: Claim,
  { ctx, sleep, stop }: { ctx: DurableContext; sleep: Sleep; stop: StopReason | null },
): Promise<void> {
  try {
    const pause = (name: string, seconds: number) => waitOut(deps, claim, { ctx, name, seconds, sleep });
    await settle(ctx, 'publish', () => publish(deps, claim, stop), pause, PUBLISH_BACKOFF_SECONDS);
  } catch (error) {
    if (!(error instanceof TaskFailure) || error.code === 'EPOCH_STALE') throw error;
    const { code, message } = error;
    await ctx.step('end unpublished', () => endUnpublished(deps, claim, { code, message, stop }));
  }
}

type Step = <T>(name: string, work: () => Promise<T>) => Promise<T>;

async function runSession(
  deps: OrchestratorDeps,
  claim: Claim,
  step: Step,
  sleep: Sleep,
): Promise<Finalized> {
  await step('hydrate', () => hydrate(deps, claim));
  for (
    let looks = 1;
    (await step(`start ${looks}`, () => startSession(deps, claim))).kind === 'waiting';
    looks += 1
  )
    await sleep(`capacity ${looks}`, queuePollSeconds(looks));
  return awaitOutcome(deps, claim, step, sleep);
}

async function awaitOutcome(
  deps: OrchestratorDeps,
  claim: Claim,
  step: Step,
  sleep: Sleep,
): Promise<Finalized> {
  let counters = freshCounters;
  let seconds = deps.settings.safety_poll_s;
  for (let looks = 1; ; looks += 1) {
    await sleep(`outcome ${looks}`, seconds);
    const seen = counters;
    const look = await step(`look ${looks}`, () => observe(deps, claim, seen));
    if (look.kind === 'ended' || look.kind === 'publish') return look;
    if (look.kind === 'fail') throw new TaskFailure(look.code, look.message);
    if (look.kind === 'restart') {
      await step('restart', () => handOver(deps, claim, look.reason));
      return { kind: 'ended' };
    }
    if (look.kind === 'stop') return step('stop', () => stopSession(deps, claim, look.reason));
    counters = look.counters;
    seconds = look.ms / 1_000;
  }
}
