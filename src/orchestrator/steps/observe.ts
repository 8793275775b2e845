import type { SessionState } from '../../compute/strategy.ts';
import { messageOf } from '../../task/errors.ts';
import type { Task } from '../../task/task.ts';
import { type Claim, ownTask } from '../claim.ts';
import { type Counters, type Decision, decide, endedFromOutside, type StopReason } from '../decisions.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { type Finalized, finalize } from './finalize.ts';

export type Look = Exclude<Decision, { kind: 'conclude' } | { kind: 'leave' }> | Finalized;

/** How long past its deadline a runner may take to end by itself, before the platform does it. */
const DEADLINE_MARGIN_MS = 60_000;

/** Looks at a running task and decides; a reported outcome is concluded in the same step, so that its end isn't kept waiting. */
export async function observe(deps: OrchestratorDeps, claim: Claim, counters: Counters): Promise<Look> {
  const { stores, settings, now } = deps;
  await stores.wakeups.take(claim.taskId);
  const task = await ownTask(stores, claim);
  const outcome = await stores.outcomes.get(claim.taskId, claim.attempt);
  const { capabilities } = deps.computeFor(task.compute_type);
  const ask = !outcome || endedFromOutside({ task, outcome, capabilities });
  const decision = decide({
    task,
    attempt: claim.attempt,
    outcome,
    // Somebody asks again at once only when something is odd: then what was known a moment ago won't do.
    session: ask
      ? await describe(deps, task, { fresh: outcome !== undefined || counters.endedWithoutOutcome > 0 })
      : { kind: 'running' },
    capabilities,
    counters,
    listeningSinceMs: deps.listeningSinceMs,
    now: now(),
    limits: {
      heartbeatGraceMs: settings.heartbeat_grace_s * 1_000,
      heartbeatStaleMs: settings.heartbeat_stale_s * 1_000,
      safetyPollMs: settings.safety_poll_s * 1_000,
      deadlineMarginMs: DEADLINE_MARGIN_MS,
      attempts: settings.start_attempts,
    },
  });
  if (decision.kind === 'leave') return { kind: 'ended' };
  if (decision.kind !== 'conclude') return decision;
  return finalize(deps, claim, null);
}

/** Ends the session, gives the runner its time to push, and concludes with what it reported. */
export async function stopSession(
  deps: OrchestratorDeps,
  claim: Claim,
  reason: StopReason,
): Promise<Finalized> {
  const task = await ownTask(deps.stores, claim);
  if (task.session !== null)
    await deps
      .computeFor(task.session.type)
      .stop(task.session, { graceMs: deps.settings.cancel_grace_s * 1_000 });
  return finalize(deps, claim, reason);
}

async function describe(
  deps: OrchestratorDeps,
  task: Task,
  options: { fresh: boolean },
): Promise<SessionState | { kind: 'unknown'; message: string }> {
  if (task.session === null) return { kind: 'missing' };
  try {
    return await deps.computeFor(task.session.type).describe(task.session, options);
  } catch (error) {
    deps.log.warn(
      {
        event: 'orchestrator.describe.failed',
        task_id: task.task_id,
        compute_type: task.session.type,
        error: messageOf(error),
      },
      'the backend did not say how the session is',
    );
    return { kind: 'unknown', message: messageOf(error) };
  }
}
