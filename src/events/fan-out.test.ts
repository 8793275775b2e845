import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRecordingChannel } from '../../test/fakes/channel.ts';
import { aMilestone, endOf } from '../../test/fixtures/events.ts';
import { createFanOutRoom, type FanOutRoom } from '../../test/fixtures/fan-out.ts';
import { aRepo } from '../../test/fixtures/repo.ts';
import { BgAgentError } from '../task/errors.ts';
import type { NewEvent } from '../task/events.ts';
import type { TaskStatus } from '../task/status.ts';
import type { Task } from '../task/task.ts';

let room: FanOutRoom;
beforeEach(async () => {
  room = await createFanOutRoom();
});
afterEach(() => room.close());

const started: NewEvent = {
  type: 'session_started',
  metadata: { session_id: 's', compute_type: 'local', attempt: 1 },
};
const pr: NewEvent = { type: 'pr_created', metadata: { pr_url: 'https://example.com/1', pr_number: 1 } };
const end = async (task: Task, to: TaskStatus = 'FAILED'): Promise<void> => {
  await room.stores.tasks.transition(task.task_id, { from: 'SUBMITTED', to }, endOf(to));
};
const states = async (): Promise<string[]> =>
  (await room.stores.deliveries.list({ limit: 100 })).items.map(
    ({ channel, type, state }) => `${channel} ${type} ${state}`,
  );

describe('the fan-out', () => {
  it('tells every channel each of its events once, in order', async () => {
    const [one, two] = [createRecordingChannel({ name: 'one' }), createRecordingChannel({ name: 'two' })];
    await room.start([one, two]);
    const task = await room.create();
    await room.say(task, started, aMilestone('reading'), pr);
    await end(task);
    await room.settled();
    for (const { sent } of [one, two])
      expect(sent.map(({ type }) => type)).toEqual([
        'task_created',
        'session_started',
        'pr_created',
        'task_failed',
      ]);
  });

  it('goes on after a restart where it was', async () => {
    const channel = createRecordingChannel();
    const first = await room.start([channel]);
    const task = await room.create();
    await room.settled();
    await first.stop();
    await room.say(task, started);
    expect(channel.sent).toHaveLength(1);
    await room.start([channel]);
    await room.settled();
    expect(channel.calls).toHaveLength(2);
    expect(channel.sent.map(({ type }) => type)).toEqual(['task_created', 'session_started']);
  });

  it('never replays one channel for the failure of another (F2)', async () => {
    const good = createRecordingChannel({ name: 'good' });
    const bad = createRecordingChannel({ name: 'bad' });
    bad.faults.push('fail', 'limit', 'fail');
    await room.start([good, bad]);
    await room.create();
    await room.settled();
    expect([good.calls.length, bad.calls.length]).toEqual([1, 4]);
    expect(await states()).toEqual(['good task_created sent', 'bad task_created sent']);
  });

  it('keeps a task in order while the first of its messages is tried again, and holds up no other task', async () => {
    const channel = createRecordingChannel();
    channel.faults.push('fail');
    await room.start([channel], { backoff: { baseMs: 300, capMs: 300 } });
    const slow = await room.create();
    await room.say(slow, started, pr);
    const other = await room.create();
    await room.settled();
    expect(channel.sent.filter(({ task }) => task.task_id === slow.task_id).map(({ type }) => type)).toEqual([
      'task_created',
      'session_started',
      'pr_created',
    ]);
    expect(channel.sent[0]?.task.task_id).toBe(other.task_id);
  });

  it('swallows a terminal error, marks it and goes on with the next event (F3)', async () => {
    const channel = createRecordingChannel();
    channel.faults.push('refuse');
    await room.start([channel]);
    const task = await room.create();
    await room.say(task, started);
    await room.settled();
    expect(await states()).toEqual(['recording session_started sent', 'recording task_created failed']);
    expect(room.logged).toContainEqual(
      expect.objectContaining({ event: 'fanout.delivery.failed', retryable: false }),
    );
  });

  it('takes an unknown error for one that passes (F3)', async () => {
    let calls = 0;
    const channel = createRecordingChannel({
      deliver: () => {
        calls += 1;
        if (calls < 3) throw new TypeError('cannot read x');
      },
    });
    await room.start([channel]);
    await room.create();
    await room.settled();
    expect(await states()).toEqual(['recording task_created sent']);
    expect(calls).toBe(3);
  });

  it('gives up after its failures, says so, and sends when replayed (F2)', async () => {
    const channel = createRecordingChannel();
    channel.faults.push('fail', 'fail', 'fail');
    await room.start([channel], { maxFailures: 3 });
    await room.create();
    await room.settled();
    const [dead] = (await room.stores.deliveries.list({ state: 'dead', limit: 5 })).items;
    expect(dead).toMatchObject({ failures: 3, note: 'broken pipe' });
    expect(room.logged).toContainEqual(
      expect.objectContaining({ event: 'fanout.delivery.dead', error_id: 'FANOUT_DELIVERY_DEAD' }),
    );
    await room.stores.deliveries.replay(dead?.delivery_id ?? '');
    await room.settled();
    expect(await states()).toEqual(['recording task_created sent']);
  });

  it('never counts being told to wait towards giving up, and logs how long (F3, F7)', async () => {
    let told = 0;
    const channel = createRecordingChannel({
      deliver: () => {
        told += 1;
        if (told <= 6)
          throw new BgAgentError('CHANNEL_UNAVAILABLE', 'ratelimited', { retryAfterSeconds: 0.005 });
      },
    });
    await room.start([channel], { maxFailures: 2 });
    const task = await room.create();
    await end(task);
    await room.settled();
    expect(channel.sent.map(({ type }) => type)).toEqual(['task_created', 'task_failed']);
    expect(room.logged).toContainEqual(
      expect.objectContaining({
        event: 'fanout.dispatcher.rejected',
        retryable: true,
        retry_after_seconds: 0.005,
      }),
    );
  });

  it('postpones by the pace of the channel and drops nothing (F7)', async () => {
    const waits = new Map<string, number>();
    const channel = createRecordingChannel();
    const paced = {
      ...channel,
      async deliver(message: Parameters<typeof channel.deliver>[0]) {
        const id = message.event.event_id;
        const seen = waits.get(id) ?? 0;
        waits.set(id, seen + 1);
        if (seen < 3) return { kind: 'postponed', untilMs: Date.now() + 5 } as const;
        return channel.deliver(message);
      },
    };
    await room.start([paced], { maxFailures: 1 });
    for (let n = 0; n < 5; n++) await end(await room.create());
    await room.settled();
    expect(channel.sent).toHaveLength(10);
  });

  it('calls a missing setting an error with an id, tries again, and gives up at last (F3)', async () => {
    const channel = createRecordingChannel({
      deliver: () => {
        throw new BgAgentError('CHANNEL_NOT_CONFIGURED', 'no token of team T1');
      },
    });
    await room.start([channel], { maxFailures: 3 });
    await room.create();
    await room.settled();
    expect(channel.calls).toHaveLength(3);
    expect(await states()).toEqual(['recording task_created dead']);
    expect(room.logged).toContainEqual(
      expect.objectContaining({ error_id: 'FANOUT_CHANNEL_NOT_CONFIGURED' }),
    );
  });

  it('takes over what a process that is gone had claimed', async () => {
    const stuck = createRecordingChannel({ deliver: () => new Promise(() => undefined) });
    await room.start([stuck], { finishMs: 20 });
    await room.create();
    while (stuck.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    const channel = createRecordingChannel();
    // The first one hangs for ever: as good as dead.
    await room.start([channel]);
    while (channel.sent.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(channel.sent).toHaveLength(1);
  });

  it('reads overrides when the event happens, not when the task was made (F6)', async () => {
    const channel = createRecordingChannel();
    await room.start([channel]);
    const repo = aRepo();
    await room.stores.repos.put(repo);
    const task = await room.create();
    await room.settled();
    await room.stores.repos.put({ ...repo, notifications: { recording: { enabled: false } } });
    await room.say(task, started);
    await room.settled();
    await room.stores.repos.put({ ...repo, notifications: { recording: { events: [] } } });
    await room.say(task, pr);
    await room.settled();
    await room.stores.repos.put({ ...repo, notifications: { recording: { events: ['default'] } } });
    await end(task);
    await room.settled();
    expect(channel.sent.map(({ type }) => type)).toEqual(['task_created', 'task_failed']);
    expect(room.logged).toContainEqual(expect.objectContaining({ event: 'fanout.routing.muted' }));
  });
});
