import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRecordingChannel, type RecordingChannel } from '../../test/fakes/channel.ts';
import { aMilestone, endOf } from '../../test/fixtures/events.ts';
import { createFanOutRoom, type FanOutRoom } from '../../test/fixtures/fan-out.ts';
import type { Channel } from '../channels/channel.ts';
import {
  dispatchRecords,
  dispatchRetries,
  type RetryMessage,
  type StreamDeps,
  type StreamRecord,
} from './stream.ts';

let room: FanOutRoom;
let queue: { message: RetryMessage; delaySeconds: number }[];
/** What the queue does with the next message. */
let queueFails: boolean;
let clock: number;
beforeEach(async () => {
  clock = Date.now();
  room = await createFanOutRoom({ now: () => clock });
  queue = [];
  queueFails = false;
});
afterEach(() => room.close());

const depsOf = (channels: readonly Channel[], more: Partial<StreamDeps> = {}): StreamDeps => {
  const note = (fields: Record<string, unknown>): void => void room.logged.push(fields);
  return {
    stores: room.stores,
    channels,
    owner: 'invocation-1',
    leaseMs: 60_000,
    untilMs: Number.POSITIVE_INFINITY,
    now: () => clock,
    random: () => 0,
    maxFailures: 5,
    backoff: { baseMs: 4_000, capMs: 8_000_000 },
    log: { debug: note, info: note, warn: note, error: note },
    queue: {
      async send(message, delaySeconds) {
        if (queueFails) throw new Error('the queue is away');
        queue.push({ message, delaySeconds });
      },
    },
    ...more,
  };
};

/** Everything that the stream would bring. */
const records = async (): Promise<StreamRecord[]> =>
  (await room.stores.events.feed('', 500)).map((event, index) => ({
    sequenceNumber: `${1_000 + index}`,
    event,
  }));
const typesOf = ({ sent }: RecordingChannel): string[] => sent.map(({ type }) => type);

/** A task's whole life. */
async function aLife(): Promise<void> {
  const task = await room.create();
  await room.say(task, aMilestone('reading'), {
    type: 'session_started',
    metadata: { session_id: 's', compute_type: 'local', attempt: 1 },
  });
  await room.stores.tasks.transition(task.task_id, { from: 'SUBMITTED', to: 'FAILED' }, endOf('FAILED'));
}

describe('the fan-out of a stream (F4)', () => {
  it('delivers a batch in order, and says what it did', async () => {
    const channel = createRecordingChannel();
    await aLife();
    const { dispatched, infraRejections } = await dispatchRecords(depsOf([channel]), await records());
    expect(typesOf(channel)).toEqual(['task_created', 'session_started', 'task_failed']);
    expect([dispatched.length, infraRejections, queue]).toEqual([3, [], []]);
    expect(room.logged).toContainEqual({
      event: 'fanout.batch.complete',
      records: 4,
      dispatched: 3,
      infra_rejections: 0,
    });
  });

  it('does nothing twice when the batch comes again', async () => {
    const channel = createRecordingChannel();
    await aLife();
    for (let n = 0; n < 3; n++) await dispatchRecords(depsOf([channel]), await records());
    expect(channel.calls).toHaveLength(3);
  });

  it('leaves what is to be tried again to the queue, and goes on with the other channels', async () => {
    const [good, bad] = [createRecordingChannel({ name: 'good' }), createRecordingChannel({ name: 'bad' })];
    bad.faults.push('fail');
    await aLife();
    const result = await dispatchRecords(depsOf([good, bad]), await records());
    expect(result.infraRejections).toEqual([]);
    expect([typesOf(good).length, typesOf(bad)]).toEqual([3, []]);
    expect(queue).toEqual([{ message: { channel: 'bad' }, delaySeconds: 2 }]);
    expect(room.logged).toContainEqual(
      expect.objectContaining({ event: 'fanout.dispatcher.rejected', retryable: true }),
    );
    clock += 2_000;
    expect(await dispatchRetries(depsOf([good, bad]), [{ channel: 'bad' }, { channel: 'bad' }])).toEqual([]);
    expect(typesOf(bad)).toEqual(['task_created', 'session_started', 'task_failed']);
    expect(typesOf(good)).toHaveLength(3);
  });

  it('comes back in steps of 15 minutes for what must wait longer', async () => {
    const channel = createRecordingChannel();
    channel.faults.push('fail');
    await room.create();
    const deps = depsOf([channel], { backoff: { baseMs: 4_000_000, capMs: 4_000_000 } });
    await dispatchRecords(deps, await records());
    for (const delaySeconds of [900, 900, 200]) {
      expect(queue.at(-1)).toEqual({ message: { channel: 'recording' }, delaySeconds });
      clock += delaySeconds * 1_000;
      await dispatchRetries(deps, [{ channel: 'recording' }]);
    }
    expect(typesOf(channel)).toEqual(['task_created']);
    expect(queue).toHaveLength(3);
  });

  it('has the stream replay from the record that the ledger could not take, and lets none overtake it', async () => {
    const channel = createRecordingChannel();
    await aLife();
    let appends = 0;
    const { deliveries } = room.stores;
    const failing = {
      ...room.stores,
      deliveries: {
        ...deliveries,
        append: async (...args: Parameters<typeof deliveries.append>) => {
          appends += 1;
          if (appends === 2) throw new Error('the table is throttled');
          return deliveries.append(...args);
        },
      },
    };
    const all = await records();
    const { infraRejections } = await dispatchRecords(depsOf([channel], { stores: failing }), all);
    expect(infraRejections).toEqual([{ sequenceNumber: '1002', reason: 'the table is throttled' }]);
    expect(typesOf(channel)).toEqual(['task_created']);
    await dispatchRecords(depsOf([channel]), all.slice(2));
    expect(typesOf(channel)).toEqual(['task_created', 'session_started', 'task_failed']);
  });

  it('has the batch come again when the queue could not be written', async () => {
    const channel = createRecordingChannel();
    channel.faults.push('fail');
    await room.create();
    queueFails = true;
    const all = await records();
    const { infraRejections } = await dispatchRecords(depsOf([channel]), all);
    expect(infraRejections).toEqual([{ sequenceNumber: '1000', reason: 'the queue is away' }]);
    queueFails = false;
    await dispatchRecords(depsOf([channel]), all);
    expect(queue).toHaveLength(1);
    queueFails = true;
    expect(await dispatchRetries(depsOf([channel]), [{ channel: 'recording' }])).toEqual([0]);
  });

  it('leaves to the queue what there is no time for', async () => {
    const channel = createRecordingChannel();
    await aLife();
    await dispatchRecords(depsOf([channel], { untilMs: clock }), await records());
    expect([typesOf(channel), queue]).toEqual([[], [{ message: { channel: 'recording' }, delaySeconds: 0 }]]);
    await dispatchRetries(depsOf([channel]), [{ channel: 'recording' }]);
    expect(typesOf(channel)).toHaveLength(3);
  });
});
