import type { Channel } from '../channels/channel.ts';
import type { Delivery } from '../stores/delivery-store.ts';
import type { Stores } from '../stores/stores.ts';
import { messageOf } from '../task/errors.ts';
import type { TaskEvent } from '../task/events.ts';
import { type AttemptDeps, attempt } from './attempt.ts';
import { route } from './routing.ts';

/**
 * The fan-out where no process stays: a stream of new events in batches, and a queue that calls back later. The same routing, ledger
 * and attempts as in one process. One bad channel never holds up the stream: what is to be tried again waits in the queue.
 */

/** Calls back after a while, with whatever was sent. */
export interface RetryQueue {
  /** `delaySeconds`: 0 to 900. Throws when it could not be written. */
  send(message: RetryMessage, delaySeconds: number): Promise<void>;
}

export interface RetryMessage {
  channel: string;
}

/** An insert in the stream; other changes (expiry) are not the fan-out's. */
export interface StreamRecord {
  /** By which the stream is told where to go on. */
  sequenceNumber: string;
  event: TaskEvent;
}

export interface DispatchResult {
  /** Deliveries that were sent, or refused for good. */
  readonly dispatched: readonly string[];
  /** Records that must come again: ledger or queue could not be written. The stream replays from the first. */
  readonly infraRejections: readonly { readonly sequenceNumber: string; readonly reason: string }[];
}

export interface StreamDeps extends AttemptDeps {
  stores: Pick<Stores, 'tasks' | 'repos' | 'deliveries'>;
  channels: readonly Channel[];
  queue: RetryQueue;
  /** Who claims; different in every invocation. */
  owner: string;
  /** How long a claim holds, in milliseconds: longer than any attempt takes. */
  leaseMs: number;
  /** When this invocation should be done, in milliseconds since 1970; what is due then is left to the queue. */
  untilMs: number;
}

const LONGEST_DELAY_S = 900;

/** Takes a batch of the stream: writes the ledger in the order of the records, then delivers what is due. */
export async function dispatchRecords(
  deps: StreamDeps,
  records: readonly StreamRecord[],
): Promise<DispatchResult> {
  const { log } = deps;
  const dispatched: string[] = [];
  const infraRejections: { sequenceNumber: string; reason: string }[] = [];
  const touched = new Set<string>();
  for (const record of records) {
    try {
      for (const channel of await append(deps, record.event)) touched.add(channel);
    } catch (error) {
      // The ones behind it come again anyway; a later event must not overtake it.
      infraRejections.push({ sequenceNumber: record.sequenceNumber, reason: messageOf(error) });
      break;
    }
  }
  const drained = await Promise.all([...touched].map((channel) => drain(deps, channel)));
  for (const { settled, failure } of drained) {
    dispatched.push(...settled);
    const [first] = records;
    if (failure !== undefined && first && infraRejections.length === 0)
      infraRejections.push({ sequenceNumber: first.sequenceNumber, reason: failure });
  }
  log.info(
    {
      event: 'fanout.batch.complete',
      records: records.length,
      dispatched: dispatched.length,
      infra_rejections: infraRejections.length,
    },
    'a batch of events was worked on',
  );
  return { dispatched, infraRejections };
}

/** Takes messages of the queue. Returns those (by index) that must come again. */
export async function dispatchRetries(
  deps: StreamDeps,
  messages: readonly RetryMessage[],
): Promise<number[]> {
  const channels = [...new Set(messages.map(({ channel }) => channel))];
  const drained = new Map(
    await Promise.all(channels.map(async (channel) => [channel, await drain(deps, channel)] as const)),
  );
  return messages.flatMap(({ channel }, index) =>
    drained.get(channel)?.failure === undefined ? [] : [index],
  );
}

/** Writes the event's deliveries; returns their channels. */
async function append({ stores, channels, log }: StreamDeps, event: TaskEvent): Promise<string[]> {
  if (
    !channels.some(({ renders }) => renders.includes(event.event_type)) &&
    event.event_type !== 'agent_milestone'
  )
    return [];
  const task = await stores.tasks.get(event.task_id);
  if (!task) return [];
  const repo = await stores.repos.get(task.repo);
  const { deliveries, problems } = route(event, { task, repo }, channels);
  for (const { kind, channel, detail } of problems)
    log.warn(
      { event: `fanout.routing.${kind}`, task_id: task.task_id, channel, detail },
      'notifications need a look',
    );
  if (deliveries.length > 0)
    await stores.deliveries.append(deliveries, { reader: 'stream', cursor: event.event_id });
  return deliveries.map(({ channel }) => channel);
}

/** Delivers what is due in a channel, until nothing is or the time is up; asks the queue to call again for the rest. */
async function drain(
  deps: StreamDeps,
  name: string,
): Promise<{ settled: string[]; failure: string | undefined }> {
  const { stores, channels, queue, owner, leaseMs, now, untilMs } = deps;
  const channel = channels.find((one) => one.name === name);
  const settled: string[] = [];
  if (!channel) return { settled, failure: undefined };

  const handle = async (delivery: Delivery): Promise<void> => {
    const result = await attempt(deps, channel, delivery);
    if ((await stores.deliveries.settle(delivery, result)) && result.kind !== 'retry')
      settled.push(delivery.delivery_id);
  };
  try {
    while (now() < untilMs) {
      const claimed = await stores.deliveries.claim({
        channel: name,
        owner,
        leaseMs,
        limit: channel.concurrency,
      });
      if (claimed.length === 0) break;
      const outcomes = await Promise.allSettled(claimed.map(handle));
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failed) throw failed.reason;
    }
    const dueAtMs = await stores.deliveries.nextDue(name);
    if (dueAtMs !== null) {
      const seconds = Math.ceil(Math.max(0, dueAtMs - now()) / 1_000);
      await queue.send({ channel: name }, Math.min(LONGEST_DELAY_S, seconds));
    }
    return { settled, failure: undefined };
  } catch (error) {
    return { settled, failure: messageOf(error) };
  }
}
