import { diffKey, logKey } from '../../task/blob-keys.ts';
import { BgAgentError, codeOf, messageOf } from '../../task/errors.ts';
import { EVENTS, type NewEvent, RUNNER_EVENT_TYPES } from '../../task/events.ts';
import type { OutcomeReport, ReportReply, ReportRequest } from '../../task/protocol.ts';
import { isTerminal } from '../../task/status.ts';
import type { ApiDeps } from '../deps.ts';
import { type RunnerClaim, requireLive, requireSameAttempt } from './access.ts';
import { maskEvent, maskOutcome, type TextMask } from './mask.ts';
import { runnerLease } from './start.ts';

/** Heartbeats are written at most this often, in milliseconds, and at least twice an interval. */
const HEARTBEAT_WRITE_MS = 10_000;

/** Characters of an event's metadata as JSON. */
const METADATA_LIMIT = 8_192;

/** The next ones are told in the next reply. */
const NUDGES_IN_A_REPLY = 20;

type ReportedEvent = ReportRequest['events'][number];
type AcceptedEvent = { seq: number; event: NewEvent; timestamp: string };

/**
 * Takes in a report; safe to repeat. An outcome is durable, and the workflow told of it, when this returns: a runner whose
 * answer was lost sends it again, also after the task's end.
 */
export async function takeReport(
  deps: ApiDeps,
  claim: RunnerClaim,
  report: ReportRequest,
): Promise<ReportReply> {
  requireSameAttempt(claim, report);
  const { task, attempt } = claim;
  const mask = await maskFor(deps, report);
  const outcome = report.outcome && maskOutcome(report.outcome, mask);
  const log = report.log && { ...report.log, text: mask.sameLength(report.log.text) };
  const known =
    outcome !== null &&
    isTerminal(task.status) &&
    (await deps.stores.outcomes.get(task.task_id, attempt)) !== undefined;
  if (!known) requireLive(claim);
  await requireHolder(deps, claim, report.runner_id);

  const events = report.events
    .flatMap((event) => accepted(event, deps, claim))
    .map(({ event, ...rest }) => ({ ...rest, event: maskEvent(event, mask) }));
  // Begun together, so that they share one flush to disk, and in this order: the outcome's event is the last.
  await Promise.all([
    events.length > 0 ? appendEvents(deps, claim, events, outcome !== null) : undefined,
    outcome ? keepOutcome(deps, claim, outcome) : noteHeartbeat(deps, claim),
    log ? appendLog(deps, claim, log) : undefined,
  ]);
  if (outcome && !known) await deps.driver.wake(task.task_id);
  return {
    cancel_requested: task.cancel_requested_at !== null,
    nudges: outcome ? [] : await nudgesFor(deps, claim, events),
  };
}

/** What waits for the agent, once that which the runner has just settled is out of the way. */
async function nudgesFor(
  { stores, now }: ApiDeps,
  { task }: RunnerClaim,
  events: readonly AcceptedEvent[],
): Promise<ReportReply['nudges']> {
  const settled = events.flatMap(({ event }) =>
    event.type === 'nudge_delivered' || event.type === 'nudge_refused' ? [event.metadata.nudge_id] : [],
  );
  if (settled.length > 0) await stores.nudges.settle(task.task_id, settled, new Date(now()).toISOString());
  const waiting = await stores.nudges.waiting(task.task_id, NUDGES_IN_A_REPLY);
  return waiting.map(({ nudge_id, message }) => ({ nudge_id, message }));
}

const NO_MASK: TextMask = { text: (text) => text, sameLength: (text) => text };

/** Most reports are heartbeats, with nothing in them to hide. */
async function maskFor({ textMask }: ApiDeps, report: ReportRequest): Promise<TextMask> {
  const silent = report.events.length === 0 && report.log === null && report.outcome === null;
  return silent || !textMask ? NO_MASK : textMask();
}

async function appendEvents(
  { stores }: ApiDeps,
  { task, attempt }: RunnerClaim,
  events: readonly AcceptedEvent[],
  withOutcome: boolean,
): Promise<void> {
  try {
    await stores.events.appendReported(task.task_id, attempt, events);
  } catch (error) {
    // What comes with an outcome is judged by the outcome: a repeated one is fine after the end, and brings nothing new.
    if (!(withOutcome && codeOf(error) === 'TASK_ALREADY_TERMINAL')) throw error;
  }
}

/** The outcome with its event, and the diff beside it: only the diff is large. */
async function keepOutcome(
  { stores, blobs, log }: ApiDeps,
  { task, attempt }: RunnerClaim,
  { diff, ...outcome }: OutcomeReport,
): Promise<void> {
  const { result, head_sha } = outcome;
  const [{ first }] = await Promise.all([
    stores.outcomes.put(task.task_id, attempt, { ...outcome, diff: null }, [
      { type: 'outcome_reported', metadata: { result, head_sha } },
    ]),
    diff ? blobs.put(diffKey(task.task_id, attempt), diff) : undefined,
  ]);
  log.info(
    { event: 'api.outcome.reported', task_id: task.task_id, attempt, result, repeated: !first },
    'a runner reported its outcome',
  );
}

/** Only the process that began the attempt may report for it. */
async function requireHolder(
  { stores }: ApiDeps,
  { task, attempt }: RunnerClaim,
  runnerId: string,
): Promise<void> {
  const lease = await stores.leases.get(runnerLease(task.task_id, attempt));
  if (lease && lease.owner !== runnerId)
    throw new BgAgentError('EPOCH_STALE', `another process began attempt ${attempt} of task ${task.task_id}`);
}

/** The event as the catalogue has it; one that a runner may not tell, or tells wrongly, is left out with a word in the log. */
function accepted(reported: ReportedEvent, { log, now }: ApiDeps, { task }: RunnerClaim): AcceptedEvent[] {
  const type = RUNNER_EVENT_TYPES.find((known) => known === reported.event_type);
  const parsed = type === undefined ? undefined : EVENTS[type].metadata.safeParse(reported.metadata);
  if (type === undefined || !parsed?.success || JSON.stringify(parsed.data).length > METADATA_LIMIT) {
    log.warn(
      {
        event: 'api.event.dropped',
        task_id: task.task_id,
        event_type: reported.event_type.slice(0, 100),
        reason:
          type === undefined
            ? 'not for a runner to tell'
            : (parsed?.error?.issues[0]?.message ?? 'too large'),
      },
      'an event of a runner was not accepted',
    );
    return [];
  }
  const at = Date.parse(reported.timestamp);
  return [
    {
      seq: reported.seq,
      // The catalogue's own schema has just checked that the metadata belongs to the type.
      event: { type, metadata: parsed.data } as NewEvent,
      timestamp: new Date(Number.isNaN(at) ? now() : at).toISOString(),
    },
  ];
}

async function noteHeartbeat(
  { stores, settings, now }: ApiDeps,
  { task, attempt }: RunnerClaim,
): Promise<void> {
  const at = now();
  const interval = Math.min(HEARTBEAT_WRITE_MS, settings.heartbeat_interval_s * 500);
  if (task.last_heartbeat_at !== null && at - Date.parse(task.last_heartbeat_at) < interval) return;
  try {
    await stores.tasks.update(task.task_id, {
      when: { attempt },
      patch: { last_heartbeat_at: new Date(at).toISOString() },
    });
  } catch (error) {
    if (codeOf(error) !== 'TASK_MOVED') throw error;
    throw new BgAgentError('EPOCH_STALE', `task ${task.task_id} has moved on`, { cause: error });
  }
}

/** A log that can't be kept is no reason to refuse the rest of the report. */
async function appendLog(
  { blobs, log }: ApiDeps,
  { task, attempt }: RunnerClaim,
  { offset, text }: NonNullable<ReportRequest['log']>,
): Promise<void> {
  try {
    await blobs.append(logKey(task.task_id, attempt), offset, text);
  } catch (error) {
    log.warn(
      { event: 'api.log.append_failed', task_id: task.task_id, attempt, offset, error: messageOf(error) },
      'log text of a runner was not kept',
    );
  }
}
