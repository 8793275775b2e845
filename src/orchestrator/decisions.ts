import type { ComputeCapabilities, SessionState } from '../compute/strategy.ts';
import type { ErrorCode } from '../task/errors.ts';
import type { OutcomeReport } from '../task/protocol.ts';
import { isTerminal } from '../task/status.ts';
import type { Task } from '../task/task.ts';

/** What a look at a running task found. All times are milliseconds since the epoch. */
export interface Observation {
  task: Task;
  /** The attempt that looks; a task that has moved on to another is none of its business. */
  attempt: number;
  outcome: OutcomeReport | undefined;
  /** `unknown`: the backend did not answer, which is no verdict. */
  session: SessionState | { kind: 'unknown'; message: string };
  capabilities: ComputeCapabilities;
  counters: Counters;
  /** When this platform came up: reports could not arrive before. */
  listeningSinceMs: number;
  now: number;
  limits: LivenessLimits;
}

/** Consecutive observations that, repeated, become a verdict. */
export interface Counters {
  describeErrors: number;
  endedWithoutOutcome: number;
}
export const freshCounters: Counters = { describeErrors: 0, endedWithoutOutcome: 0 };

interface LivenessLimits {
  heartbeatGraceMs: number;
  heartbeatStaleMs: number;
  safetyPollMs: number;
  /** How long past the deadline the runner may take to end by itself (it enforces the deadline first). */
  deadlineMarginMs: number;
  /** Attempts that a task may have. */
  attempts: number;
}

export type StopReason = 'cancelled' | 'timed_out' | 'lost';

export type Decision =
  /** The task belongs to another attempt or has ended: leave it alone. */
  | { kind: 'leave' }
  /** Look again when woken, or after this long. */
  | { kind: 'wait'; ms: number; counters: Counters }
  /** The runner has reported how it ended. */
  | { kind: 'conclude' }
  /** The place was taken away: go on elsewhere, as the next attempt, from what was pushed. */
  | { kind: 'restart'; reason: string }
  /** End the session, then conclude with what it reported meanwhile. */
  | { kind: 'stop'; reason: StopReason }
  | { kind: 'fail'; code: ErrorCode; message: string };

/** Three errors of describe in a row are a verdict (O5). */
const DESCRIBE_ERRORS = 3;
/** A session that ended well must have reported; its report may still be on its way (O5). */
const ENDED_WELL_OBSERVATIONS = 5;
/** After a crash nobody is left to report; look once more for a report that crossed. */
const CRASHED_OBSERVATIONS = 2;
/** A runner that was told to end before the backend says why: ask so often. */
const FROM_OUTSIDE_OBSERVATIONS = 30;
const RECHECK_MS = 1_000;

/**
 * Whether the runner was told to end, but not by the platform, where the backend may take places away: then the backend says
 * whether it did.
 */
export const endedFromOutside = ({
  task,
  outcome,
  capabilities,
}: Pick<Observation, 'task' | 'outcome' | 'capabilities'>): boolean =>
  capabilities.interruptible === true && outcome?.result === 'cancelled' && task.cancel_requested_at === null;

const mayRestart = ({ task, outcome, limits }: Observation): boolean =>
  task.cancel_requested_at === null &&
  task.attempt < limits.attempts &&
  (outcome === undefined || outcome.result === 'cancelled');

/** What to do next about a running task. */
export function decide(seen: Observation): Decision {
  const { task, session, counters, now } = seen;
  if (isTerminal(task.status) || task.attempt !== seen.attempt) return { kind: 'leave' };
  if (session.kind === 'interrupted' && mayRestart(seen)) return { kind: 'restart', reason: session.reason };
  if (seen.outcome) {
    const isOver = session.kind !== 'running' && session.kind !== 'unknown';
    if (!endedFromOutside(seen) || isOver) return { kind: 'conclude' };
    const endedWithoutOutcome = counters.endedWithoutOutcome + 1;
    if (endedWithoutOutcome > FROM_OUTSIDE_OBSERVATIONS) return { kind: 'conclude' };
    return { kind: 'wait', ms: RECHECK_MS, counters: { ...counters, endedWithoutOutcome } };
  }
  if (task.cancel_requested_at !== null) return { kind: 'stop', reason: 'cancelled' };

  const startedAt = task.started_at === null ? now : Date.parse(task.started_at);
  const hardDeadline = startedAt + task.deadline_s * 1_000 + seen.limits.deadlineMarginMs;
  if (now >= hardDeadline) return { kind: 'stop', reason: 'timed_out' };

  if (session.kind === 'unknown') {
    const describeErrors = counters.describeErrors + 1;
    if (describeErrors < DESCRIBE_ERRORS)
      return { kind: 'wait', ms: RECHECK_MS * 10, counters: { ...counters, describeErrors } };
    return {
      kind: 'fail',
      code: 'COMPUTE_UNAVAILABLE',
      message: `the backend did not answer ${DESCRIBE_ERRORS} times in a row: ${session.message}`,
    };
  }
  if (session.kind !== 'running') {
    const endedWithoutOutcome = counters.endedWithoutOutcome + 1;
    const endedWell = session.kind === 'exited' && session.exitCode === 0;
    const patience = endedWell ? ENDED_WELL_OBSERVATIONS : CRASHED_OBSERVATIONS;
    if (endedWithoutOutcome < patience)
      return { kind: 'wait', ms: RECHECK_MS, counters: { describeErrors: 0, endedWithoutOutcome } };
    const reason = session.kind === 'missing' ? 'the backend knows nothing of it' : session.reason;
    return {
      kind: 'fail',
      code: 'SESSION_EXITED',
      message: `the agent session ended without a result: ${reason}`,
    };
  }

  const lostAt = heartbeatLostAt(seen, startedAt);
  if (now >= lostAt) return { kind: 'stop', reason: 'lost' };
  const ms = Math.max(RECHECK_MS, Math.min(seen.limits.safetyPollMs, hardDeadline - now, lostAt - now));
  return { kind: 'wait', ms, counters: freshCounters };
}

/** When silence becomes a lost session: never before the grace after the start, of the session or of the platform itself. */
function heartbeatLostAt(
  { task, capabilities, limits, listeningSinceMs }: Observation,
  startedAt: number,
): number {
  const firstBeatDue =
    Math.max(startedAt, listeningSinceMs) + limits.heartbeatGraceMs + capabilities.startAllowanceMs;
  const lastBeat = task.last_heartbeat_at === null ? startedAt : Date.parse(task.last_heartbeat_at);
  return Math.max(firstBeatDue, lastBeat + limits.heartbeatStaleMs);
}

/** Seconds until a queued task looks for itself: it is woken when a slot is freed, so this only backs that up. */
export const queuePollSeconds = (looks: number): number => Math.min(300 * 2 ** Math.max(0, looks - 1), 3_600);
