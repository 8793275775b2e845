import { afterAll, beforeAll, expect } from 'vitest';
import type { EventStore } from '../../src/stores/event-store.ts';
import type { Stores } from '../../src/stores/stores.ts';
import { isUlid, timeOfId } from '../../src/task/ids.ts';
import type { Task } from '../../src/task/task.ts';
import { aCreation, aMilestone, endOf } from '../fixtures/events.ts';
import { aTask } from '../fixtures/task.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

/** The append-only history: T3. */
export function eventStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let stores: Stores;
  let events: EventStore;
  beforeAll(async () => {
    harness = await create();
    stores = harness.stores;
    events = stores.events;
  });
  afterAll(() => harness.close());

  const added = async (fields: Partial<Task> = {}): Promise<Task> =>
    (await stores.tasks.create(aTask({ task_id: newTaskId(), status: 'RUNNING', ...fields }), [])).task;
  const say = (task: Task, ...texts: string[]) =>
    stores.tasks.update(task.task_id, { patch: {} }, texts.map(aMilestone));
  const report = (task: Task, attempt: number, ...seqs: number[]) =>
    events.appendReported(
      task.task_id,
      attempt,
      seqs.map((seq) => ({ seq, event: aMilestone(`n${seq}`), timestamp: '2029-12-31T23:59:59.999Z' })),
    );
  const textsOf = async (task: Task, query: Partial<Parameters<EventStore['list']>[1]> = {}) =>
    (await events.list(task.task_id, { limit: 100, ...query })).items.map(
      ({ metadata }) => metadata.milestone,
    );

  it('tells everything of an event', async () => {
    const task = await added({ user_id: 'u', repo: 'octo/hello' });
    await say(task, 'a "quoted" \u0000 \ud800 one');
    const [event] = (await events.list(task.task_id, { limit: 10 })).items;
    expect(event).toEqual({
      event_id: expect.stringMatching(/^[0-9A-Z]{26}$/),
      task_id: task.task_id,
      event_type: 'agent_milestone',
      timestamp: new Date(harness.clock.now()).toISOString(),
      metadata: { milestone: 'a "quoted" \u0000 \ud800 one', preview: '' },
      user_id: 'u',
      repo: 'octo/hello',
    });
  });

  it('reads both ways from a cursor, page by page', async () => {
    const task = await added();
    await say(task, '1', '2', '3', '4', '5');
    const other = await added();
    await say(other, 'foreign');
    const all = (await events.list(task.task_id, { limit: 10 })).items;
    const third = all[2]?.event_id ?? '';
    expect(await textsOf(task)).toEqual(['1', '2', '3', '4', '5']);
    expect(await textsOf(task, { desc: true })).toEqual(['5', '4', '3', '2', '1']);
    expect(await textsOf(task, { after: third })).toEqual(['4', '5']);
    expect(await textsOf(task, { after: third, desc: true })).toEqual(['2', '1']);

    const page = await events.list(task.task_id, { limit: 2 });
    expect(page.nextToken).toBe(all[1]?.event_id);
    const second = await events.list(task.task_id, { limit: 2, nextToken: page.nextToken ?? '' });
    expect(second.items.map(({ metadata }) => metadata.milestone)).toEqual(['3', '4']);
    expect(await events.list(task.task_id, { limit: 2, after: second.nextToken ?? '' })).toMatchObject({
      items: [{ metadata: { milestone: '5' } }],
      nextToken: null,
    });
    expect(await textsOf(task, { after: third, nextToken: page.nextToken ?? '' })).toEqual(['4', '5']);
    expect(await events.list(newTaskId(), { limit: 2 })).toEqual({ items: [], nextToken: null });
  });

  it('refuses a cursor that is no event id, and names it', async () => {
    const task = await added();
    for (const wrong of ['', 'x', '01arz3ndektsv4rrffq69g5fav', '9'.repeat(26), "' OR 1=1 --"]) {
      const list = (query: { after?: string; nextToken?: string }) =>
        events.list(task.task_id, { limit: 5, ...query });
      await expect(list({ nextToken: wrong }), wrong).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        field: 'next_token',
      });
      await expect(list({ after: wrong }), wrong).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        field: 'after',
      });
    }
  });

  it('gives ids that grow with each write, even when the clock goes back (T3)', async () => {
    const task = await added();
    await say(task, '1', '2');
    harness.clock.advance(-3_600_000);
    await say(task, '3');
    await report(task, 1, 1, 2);
    harness.clock.advance(3_600_001);
    await say(task, '4');
    const ids = (await events.list(task.task_id, { limit: 10 })).items.map(({ event_id }) => event_id);
    expect(ids.every(isUlid)).toBe(true);
    expect(await textsOf(task)).toEqual(['1', '2', '3', 'n1', 'n2', '4']);
    expect(timeOfId(ids.at(-1) ?? '')).toBe(harness.clock.now());
  });

  it('gives ids that grow across a restart with a clock that went back (T3)', async () => {
    const own = await create();
    try {
      const task = aTask({ task_id: newTaskId(), status: 'RUNNING' });
      await own.stores.tasks.create(task, [aMilestone('before')]);
      own.clock.advance(-86_400_000);
      const again = await own.reopen();
      await again.tasks.update(task.task_id, { patch: {} }, [aMilestone('after')]);
      const found = (await again.events.list(task.task_id, { limit: 10 })).items;
      expect(found.map(({ metadata }) => metadata.milestone)).toEqual(['before', 'after']);
    } finally {
      await own.close();
    }
  });

  it('feeds all tasks’ events in order, and a cursor misses none while many write', async () => {
    const own = await create();
    try {
      const writers = await Promise.all(
        Array.from({ length: 8 }, async (_, n) => {
          const task = aTask({ task_id: newTaskId(), user_id: `u${n}`, status: 'RUNNING' });
          await own.stores.tasks.create(task, []);
          return task;
        }),
      );
      let writing = true;
      const written = Promise.all(
        writers.map(async (task) => {
          for (let n = 0; n < 12; n += 1) {
            if (n % 3 === 0) await own.stores.tasks.update(task.task_id, { patch: {} }, [aMilestone(`${n}`)]);
            else
              await own.stores.events.appendReported(task.task_id, 1, [
                { seq: n, event: aMilestone(`${n}`), timestamp: '2030-01-01T00:00:00.000Z' },
              ]);
          }
        }),
      ).finally(() => {
        writing = false;
      });
      const read: string[] = [];
      for (let last = false; ; ) {
        const batch = await own.stores.events.feed(read.at(-1) ?? '', 5);
        read.push(...batch.map(({ event_id }) => event_id));
        if (batch.length === 0 && last) break;
        last = !writing;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await written;
      const all = (await own.stores.events.feed('', 1_000)).map(({ event_id }) => event_id);
      expect(all).toHaveLength(96);
      expect(read).toEqual(all);
    } finally {
      await own.close();
    }
  });

  it('takes each reported number of an attempt once', async () => {
    const task = await added();
    expect((await report(task, 1, 0, 1)).map(({ metadata }) => metadata.milestone)).toEqual(['n0', 'n1']);
    expect((await report(task, 1, 0, 1, 2)).map(({ metadata }) => metadata.milestone)).toEqual(['n2']);
    expect(await report(task, 1, 0, 1, 2)).toEqual([]);
    expect(await report(task, 1)).toEqual([]);
    const copies = await Promise.all(Array.from({ length: 10 }, () => report(task, 1, 3, 4)));
    expect(copies.flat()).toHaveLength(2);
    expect(await textsOf(task)).toEqual(['n0', 'n1', 'n2', 'n3', 'n4']);
  });

  it('keeps the time that the runner gave, and says whose the event is', async () => {
    const task = await added({ user_id: 'u', repo: 'octo/hello' });
    const [reported] = await report(task, 1, 7);
    expect(reported).toMatchObject({
      timestamp: '2029-12-31T23:59:59.999Z',
      task_id: task.task_id,
      user_id: 'u',
      repo: 'octo/hello',
    });
    expect((await events.list(task.task_id, { limit: 10 })).items).toEqual([reported]);
  });

  it('counts the numbers of each attempt apart, and takes only the current one’s (T5)', async () => {
    const task = await added();
    await report(task, 1, 0);
    await stores.tasks.update(task.task_id, { patch: { attempt: 2 } });
    expect(await report(task, 2, 0)).toHaveLength(1);
    for (const attempt of [1, 3])
      await expect(report(task, attempt, 1)).rejects.toMatchObject({ code: 'EPOCH_STALE' });
    expect(await textsOf(task)).toEqual(['n0', 'n0']);
  });

  it('takes nothing for a task that has ended or never was', async () => {
    const task = await added();
    await stores.tasks.transition(task.task_id, { from: 'RUNNING', to: 'FAILED' }, endOf('FAILED'));
    await expect(report(task, 1, 0)).rejects.toMatchObject({ code: 'TASK_ALREADY_TERMINAL' });
    await expect(report(aTask({ task_id: newTaskId() }), 1, 0)).rejects.toMatchObject({
      code: 'TASK_NOT_FOUND',
    });
    expect((await events.list(task.task_id, { limit: 10 })).items.map((event) => event.event_type)).toEqual([
      'task_failed',
    ]);
  });

  it('lets no runner end a task (T2)', async () => {
    const task = await added();
    const [event] = endOf('COMPLETED');
    if (!event) throw new Error('there is one');
    const ended = events.appendReported(task.task_id, 1, [
      { seq: 0, event, timestamp: '2030-01-01T00:00:00.000Z' },
    ]);
    await expect(ended).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' });
  });

  it('tells readers of the feed after a commit of any task, until they stop', async () => {
    let told = 0;
    const stop = events.subscribeAll(() => {
      told += 1;
    });
    for (let n = 1; n <= 2; n++) {
      await harness.stores.tasks.create(aTask({ task_id: newTaskId() }), [aCreation]);
      await Promise.resolve();
      expect(told).toBe(n);
    }
    stop();
    await harness.stores.tasks.create(aTask({ task_id: newTaskId() }), [aCreation]);
    await Promise.resolve();
    expect(told).toBe(2);
  });

  it('tells subscribers of the task after the commit, until they stop', async () => {
    const [task, other] = [await added(), await added()];
    let seen: unknown[] = [];
    let calls = 0;
    const stop = events.subscribe(task.task_id, async () => {
      calls += 1;
      seen = await textsOf(task);
    });
    const second = events.subscribe(task.task_id, () => undefined);
    await say(other, 'foreign');
    await stores.tasks.update(task.task_id, { patch: {} });
    expect(calls).toBe(0);
    await say(task, '1');
    await report(task, 1, 0);
    await report(task, 1, 0);
    await settled();
    expect(calls).toBe(2);
    await expect.poll(() => seen).toEqual(['1', 'n0']);
    stop();
    stop();
    await say(task, '2');
    await settled();
    expect(calls).toBe(2);
    second();
  });
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
