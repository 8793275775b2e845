import { afterEach, beforeEach, expect } from 'vitest';
import type { Delivery, DeliveryStore, NewDelivery } from '../../src/stores/delivery-store.ts';
import type { TaskEvent } from '../../src/task/events.ts';
import { createIdSource } from '../../src/task/ids.ts';
import { aTask } from '../fixtures/task.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

const newEventId = createIdSource(() => Date.parse('2029-12-31T00:00:00.000Z'));

/** An event that the ledger only keeps; it needn't be in the event store. */
const anEvent = (taskId: string, type = 'task_created'): TaskEvent => ({
  event_id: newEventId(),
  task_id: taskId,
  event_type: type,
  timestamp: '2030-01-01T00:00:00.000Z',
  metadata: { note: 'it\'s "quoted"' },
  user_id: 'user-1',
  repo: 'octo/hello',
});

const LEASE_MS = 1_000;

/** Deliveries of events to channels (F2). */
export function deliveryStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let deliveries: DeliveryStore;
  beforeEach(async () => {
    harness = await create();
    deliveries = harness.stores.deliveries;
  });
  afterEach(() => harness.close());

  const row = (taskId: string, channel = 'slack'): NewDelivery => {
    const event = anEvent(taskId);
    return { channel, event, type: event.event_type };
  };
  const append = async (...rows: NewDelivery[]): Promise<string[]> => {
    await deliveries.append(rows, { reader: 'test', cursor: rows.at(-1)?.event.event_id ?? '' });
    return rows.map(({ event, channel }) => `${event.event_id}.${channel}`);
  };
  const claim = (channel = 'slack', limit = 10, owner = 'one'): Promise<Delivery[]> =>
    deliveries.claim({ channel, owner, leaseMs: LEASE_MS, limit });
  const ids = (claimed: readonly Delivery[]): string[] => claimed.map(({ delivery_id }) => delivery_id);
  const only = async (channel = 'slack'): Promise<Delivery> => {
    const [first, ...others] = await claim(channel);
    if (!first || others.length > 0) throw new Error(`${others.length + (first ? 1 : 0)} were due, not one`);
    return first;
  };

  it('writes rows and cursor together, and each row once', async () => {
    expect(await deliveries.cursor('test')).toBe('');
    const rows = [row(newTaskId()), row(newTaskId()), row(newTaskId(), 'email')];
    const [first = ''] = await append(...rows);
    const [claimed] = await claim('slack', 1);
    await append(...rows);
    expect(await deliveries.cursor('test')).toBe(rows[2]?.event.event_id);
    expect(await deliveries.get(first)).toMatchObject({
      state: 'claimed',
      attempts: 1,
      failures: 0,
      channel: 'slack',
      event: rows[0]?.event,
    });
    expect(claimed?.delivery_id).toBe(first);
    expect((await deliveries.list({ limit: 10 })).items).toHaveLength(3);
  });

  it('never moves a cursor back', async () => {
    const [early, late] = [newEventId(), newEventId()];
    await deliveries.append([], { reader: 'test', cursor: late });
    await deliveries.append([], { reader: 'test', cursor: early });
    expect(await deliveries.cursor('test')).toBe(late);
  });

  it('gives a delivery to one claimant, of its channel, until the lease ends', async () => {
    const [id] = await append(row(newTaskId()));
    const both = await Promise.all([claim('slack', 10, 'one'), claim('slack', 10, 'two'), claim('email')]);
    expect(both.map(({ length }) => length).sort()).toEqual([0, 0, 1]);
    harness.clock.advance(LEASE_MS - 1);
    expect(await claim()).toEqual([]);
    expect(await deliveries.nextDue('slack')).toBe(harness.clock.now() + 1);
    harness.clock.advance(1);
    const again = await only();
    expect(again).toMatchObject({ delivery_id: id, attempts: 2, failures: 0 });
  });

  it('refuses the end of a claim that was lost', async () => {
    await append(row(newTaskId()));
    const lost = await only();
    harness.clock.advance(LEASE_MS);
    const held = await only();
    expect(await deliveries.settle(lost, { kind: 'failed', note: 'late' })).toBe(false);
    expect(await deliveries.settle(held, { kind: 'sent', note: null })).toBe(true);
    expect(await deliveries.settle(held, { kind: 'dead', note: 'twice' })).toBe(false);
    expect(await deliveries.get(held.delivery_id)).toMatchObject({ state: 'sent', due_at_ms: null });
    expect(await deliveries.settle({ delivery_id: 'none', attempts: 1 }, { kind: 'sent', note: null })).toBe(
      false,
    );
  });

  it('keeps the order within a task and a channel, whatever the one before does', async () => {
    const task = newTaskId();
    const [a, b, c] = await append(row(task), row(task), row(task));
    await append(row(task, 'email'));
    expect(await claim('email')).toHaveLength(1);
    for (const [id, result] of [
      [a, { kind: 'retry', dueAtMs: harness.clock.now() + 50, note: 'busy', countsAsFailure: true }],
      [a, { kind: 'failed', note: 'no such channel' }],
      [b, { kind: 'dead', note: 'given up' }],
      [c, { kind: 'sent', note: null }],
    ] as const) {
      const claimed = await only();
      expect(claimed.delivery_id).toBe(id);
      expect(await claim()).toEqual([]);
      await deliveries.settle(claimed, result);
      harness.clock.advance(50);
    }
    expect(await deliveries.nextDue('slack')).toBeNull();
    expect(await deliveries.get(a ?? '')).toMatchObject({
      state: 'failed',
      failures: 2,
      note: 'no such channel',
    });
  });

  it('puts a later row behind an open one, and behind none when all are settled', async () => {
    const task = newTaskId();
    const [first] = await append(row(task));
    const held = await only();
    const [second] = await append(row(task));
    expect(held.delivery_id).toBe(first);
    expect(await claim()).toEqual([]);
    await deliveries.settle(held, { kind: 'sent', note: null });
    const next = await only();
    expect(next.delivery_id).toBe(second);
    await deliveries.settle(next, { kind: 'sent', note: null });
    const [third] = await append(row(task));
    expect((await only()).delivery_id).toBe(third);
  });

  it('waits as long as a retry says, and counts only real failures', async () => {
    await append(row(newTaskId()));
    const told = await only();
    const dueAtMs = harness.clock.now() + 30_000;
    await deliveries.settle(told, { kind: 'retry', dueAtMs, note: 'ratelimited', countsAsFailure: false });
    expect(await deliveries.nextDue('slack')).toBe(dueAtMs);
    harness.clock.advance(29_999);
    expect(await claim()).toEqual([]);
    harness.clock.advance(1);
    const again = await only();
    expect(again).toMatchObject({ attempts: 2, failures: 0, note: 'ratelimited' });
    await deliveries.settle(again, { kind: 'retry', dueAtMs: 0, note: 'timeout', countsAsFailure: true });
    expect(await only()).toMatchObject({ attempts: 3, failures: 1 });
  });

  it('takes the longest due first, and no more than asked', async () => {
    const made: string[] = [];
    for (let n = 0; n < 5; n++) {
      made.push(...(await append(row(newTaskId()))));
      harness.clock.advance(1);
    }
    expect(ids(await claim('slack', 2))).toEqual(made.slice(0, 2));
    expect(ids(await claim('slack', 9))).toEqual(made.slice(2));
  });

  it('gives back the claims of those who are gone', async () => {
    await append(row(newTaskId()), row(newTaskId()));
    await claim('slack', 1, 'gone');
    await claim('slack', 1, 'here');
    expect(await deliveries.releaseClaims('here')).toBe(1);
    expect(await only()).toMatchObject({ attempts: 2, failures: 0 });
  });

  it('lists by state, newest first, page by page', async () => {
    const made = await append(row(newTaskId()), row(newTaskId()), row(newTaskId()), row(newTaskId()));
    for (const claimed of await claim('slack', 3))
      await deliveries.settle(claimed, { kind: 'dead', note: 'x' });
    const first = await deliveries.list({ state: 'dead', limit: 2 });
    const second = await deliveries.list({ state: 'dead', limit: 2, nextToken: first.nextToken ?? '' });
    expect([ids(first.items), ids(second.items)]).toEqual([[made[2], made[1]], [made[0]]]);
    expect(second.nextToken).toBeNull();
    expect(ids((await deliveries.list({ state: 'pending', limit: 9 })).items)).toEqual([made[3]]);
    expect((await deliveries.list({ state: 'sent', limit: 9 })).items).toEqual([]);
    await expect(deliveries.list({ limit: 2, nextToken: 'nonsense' })).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      field: 'next_token',
    });
  });

  it('replays what failed or is dead, and nothing else', async () => {
    const [id = ''] = await append(row(newTaskId()));
    await expect(deliveries.replay(id)).rejects.toMatchObject({ code: 'DELIVERY_NOT_REPLAYABLE' });
    await deliveries.settle(await only(), { kind: 'dead', note: 'gave up' });
    expect(await deliveries.replay(id)).toMatchObject({ state: 'pending', failures: 0 });
    await deliveries.settle(await only(), { kind: 'sent', note: null });
    await expect(deliveries.replay(id)).rejects.toMatchObject({ code: 'DELIVERY_NOT_REPLAYABLE' });
    for (const none of ['', 'x', `${newEventId()}.slack`, "'; DROP TABLE deliveries"])
      await expect(deliveries.replay(none), none).rejects.toMatchObject({ code: 'DELIVERY_NOT_FOUND' });
  });

  it('says that something is due after appending, a retry, an end and a replay', async () => {
    let told = 0;
    const stop = deliveries.subscribe(() => {
      told += 1;
    });
    const after = async (work: () => Promise<unknown>): Promise<boolean> => {
      const before = told;
      await work();
      await Promise.resolve();
      return told > before;
    };
    const task = newTaskId();
    expect(await after(() => append(row(task), row(task)))).toBe(true);
    const held = await only();
    const retry = { kind: 'retry', dueAtMs: 0, note: 'x', countsAsFailure: true } as const;
    expect(await after(() => deliveries.settle(held, retry))).toBe(true);
    const again = await only();
    expect(await after(() => deliveries.settle(again, { kind: 'dead', note: 'x' }))).toBe(true);
    expect(await after(() => deliveries.replay(held.delivery_id))).toBe(true);
    stop();
    expect(await after(() => append(row(task)))).toBe(false);
  });

  it('keeps everything over a restart', async () => {
    const [id = ''] = await append(row(newTaskId()));
    await claim();
    deliveries = (await harness.reopen()).deliveries;
    expect(await deliveries.get(id)).toMatchObject({ state: 'claimed' });
    expect(await deliveries.cursor('test')).toBe(id.split('.')[0]);
    expect(await deliveries.releaseClaims('new')).toBe(1);
    expect(await only()).toMatchObject({ delivery_id: id, attempts: 2 });
  });

  it('goes with the task', async () => {
    const { tasks, messages } = harness.stores;
    const task = aTask({ task_id: newTaskId() });
    await tasks.create(task, []);
    const [id = ''] = await append(row(task.task_id));
    await messages.claim({ taskId: task.task_id, channel: 'slack', slot: 'created' }, newEventId(), 1);
    await tasks.transition(task.task_id, { from: 'SUBMITTED', to: 'FAILED' }, [
      {
        type: 'task_failed',
        metadata: {
          error_code: 'X',
          error_message: 'x',
          remedy: 'x',
          retryable: false,
          partial: false,
          branch_name: null,
        },
      },
    ]);
    await tasks.sweep('9', 5);
    expect(await deliveries.get(id)).toBeUndefined();
    expect(await messages.list(task.task_id, 'slack')).toEqual([]);
  });
}
