import { afterAll, beforeAll, expect } from 'vitest';
import type { TaskStore } from '../../src/stores/task-store.ts';
import { TASK_STATUSES, type TaskStatus } from '../../src/task/status.ts';
import type { Task } from '../../src/task/task.ts';
import { aCreation, aMilestone, endOf } from '../fixtures/events.ts';
import { anOutcome } from '../fixtures/outcome.ts';
import { aTask } from '../fixtures/task.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

/** Records of tasks: T3, T4, T8. */
export function taskStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let tasks: TaskStore;
  beforeAll(async () => {
    harness = await create();
    tasks = harness.stores.tasks;
  });
  afterAll(() => harness.close());

  const added = async (fields: Partial<Task> = {}): Promise<Task> =>
    (await tasks.create(aTask({ task_id: newTaskId(), ...fields }), [aCreation])).task;
  const typesOf = async (taskId: string): Promise<string[]> =>
    (await harness.stores.events.list(taskId, { limit: 100 })).items.map((event) => event.event_type);

  it('keeps a task as it is, and its first events', async () => {
    const task = aTask({
      task_id: newTaskId(),
      task_description: 'Zeilen\n"quoted" \u{1f680} \u0000 \ud800',
    });
    expect(await tasks.create(task, [aCreation, aMilestone('second')])).toEqual({ task, created: true });
    expect(await tasks.get(task.task_id)).toEqual(task);
    expect(await typesOf(task.task_id)).toEqual(['task_created', 'agent_milestone']);
  });

  it('knows nothing of a task that was not created', async () => {
    expect(await tasks.get(newTaskId())).toBeUndefined();
    expect(await tasks.get("' OR 1=1 --")).toBeUndefined();
  });

  it('takes a task id once', async () => {
    const task = await added();
    await expect(tasks.create(task, [aCreation])).rejects.toMatchObject({ code: 'DUPLICATE_TASK' });
    expect(await typesOf(task.task_id)).toEqual(['task_created']);
  });

  it('survives a restart', async () => {
    const own = await create();
    try {
      const task = aTask({ task_id: newTaskId() });
      await own.stores.tasks.create(task, [aCreation]);
      expect(await (await own.reopen()).tasks.get(task.task_id)).toEqual(task);
    } finally {
      await own.close();
    }
  });

  it('answers a repeated idempotency key with the first task (T4)', async () => {
    const first = aTask({ task_id: newTaskId(), user_id: 'idem-1' });
    const second = { ...first, task_id: newTaskId() };
    await tasks.create(first, [aCreation], { key: 'once', bodyHash: 'a' });
    expect(await tasks.create(second, [aCreation], { key: 'once', bodyHash: 'a' })).toEqual({
      task: first,
      created: false,
    });
    expect(await tasks.get(second.task_id)).toBeUndefined();
    expect(await typesOf(second.task_id)).toEqual([]);
  });

  it('refuses an idempotency key with another request (T4)', async () => {
    const task = aTask({ task_id: newTaskId(), user_id: 'idem-2' });
    await tasks.create(task, [], { key: 'once', bodyHash: 'a' });
    const other = tasks.create({ ...task, task_id: newTaskId() }, [], { key: 'once', bodyHash: 'b' });
    await expect(other).rejects.toMatchObject({ code: 'DUPLICATE_TASK' });
  });

  it('finds the task of an idempotency key, by the same rule (T4)', async () => {
    const find = (userId: string, key: string, bodyHash: string) =>
      tasks.findByIdempotencyKey(userId, { key, bodyHash });
    expect(await find('idem-6', 'once', 'a')).toBeUndefined();
    const { task } = await tasks.create(aTask({ task_id: newTaskId(), user_id: 'idem-6' }), [], {
      key: 'once',
      bodyHash: 'a',
    });
    const moved = await tasks.update(task.task_id, { patch: { waiting_for: 'room' } });
    expect(await find('idem-6', 'once', 'a')).toEqual(moved);
    await expect(find('idem-6', 'once', 'b')).rejects.toMatchObject({ code: 'DUPLICATE_TASK' });
    expect(await find('idem-6', 'twice', 'a')).toBeUndefined();
    expect(await find('somebody', 'once', 'a')).toBeUndefined();
  });

  it('keeps the idempotency keys of users apart (T4)', async () => {
    for (const user_id of ['idem-3', 'idem-4'])
      expect(
        await tasks.create(aTask({ task_id: newTaskId(), user_id }), [], { key: 'same', bodyHash: user_id }),
      ).toMatchObject({ created: true });
  });

  it('creates one task when an idempotency key is used many times at once (T4)', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        tasks.create(aTask({ task_id: newTaskId(), user_id: 'idem-5' }), [aCreation], {
          key: 'k',
          bodyHash: 'h',
        }),
      ),
    );
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(answers.map(({ task }) => task.task_id)).size).toBe(1);
    expect((await tasks.list({ userId: 'idem-5', limit: 50 })).items).toHaveLength(1);
  });

  it('lists newest first, page by page, without a gap or a repeat', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 7; n += 1) ids.unshift((await added({ user_id: 'pages' })).task_id);
    const seen: string[][] = [];
    let nextToken: string | undefined;
    do {
      const page = await tasks.list({ userId: 'pages', limit: 3, ...(nextToken && { nextToken }) });
      seen.push(page.items.map(({ task_id }) => task_id));
      nextToken = page.nextToken ?? undefined;
    } while (nextToken);
    expect(seen.map(({ length }) => length)).toEqual([3, 3, 1]);
    expect(seen.flat()).toEqual(ids);
  });

  it('has no next page when the last one is just full', async () => {
    for (let n = 0; n < 2; n += 1) await added({ user_id: 'full-page' });
    expect(await tasks.list({ userId: 'full-page', limit: 2 })).toMatchObject({ nextToken: null });
    expect(await tasks.list({ userId: 'nobody', limit: 2 })).toEqual({ items: [], nextToken: null });
  });

  it('lists by user, statuses and repository, alone and together', async () => {
    const of = (user_id: string, status: TaskStatus, repo: string) => added({ user_id, status, repo });
    const a = await of('filter-a', 'RUNNING', 'octo/one');
    const b = await of('filter-a', 'QUEUED', 'octo/one');
    const c = await of('filter-a', 'FAILED', 'octo/two');
    const d = await of('filter-b', 'RUNNING', 'octo/one');
    const ids = async (query: Omit<Parameters<TaskStore['list']>[0], 'limit'>) =>
      (await tasks.list({ ...query, limit: 100 })).items.map(({ task_id }) => task_id);
    const newestFirst = (...found: Task[]) => found.map(({ task_id }) => task_id);

    expect(await ids({ userId: 'filter-a' })).toEqual(newestFirst(c, b, a));
    expect(await ids({ userId: 'filter-a', statuses: ['RUNNING', 'QUEUED', 'RUNNING'] })).toEqual(
      newestFirst(b, a),
    );
    expect(await ids({ userId: 'filter-a', statuses: [] })).toEqual([]);
    expect(await ids({ repo: 'octo/one' })).toEqual(newestFirst(d, b, a));
    expect(await ids({ repo: 'octo/one', userId: 'filter-a' })).toEqual(newestFirst(b, a));
    expect(await ids({ repo: 'octo/one', statuses: ['RUNNING'] })).toEqual(newestFirst(d, a));
    expect(await ids({ repo: 'octo/one', userId: 'filter-b', statuses: ['RUNNING', 'FAILED'] })).toEqual(
      newestFirst(d),
    );
    expect((await ids({})).slice(0, 4)).toEqual(newestFirst(d, c, b, a));
    expect((await ids({ statuses: ['RUNNING', 'FAILED'] })).slice(0, 3)).toEqual(newestFirst(d, c, a));
  });

  it('refuses a page token that is not of this list, and names it', async () => {
    await harness.stores.repos.list({ limit: 1 });
    const foreign = Buffer.from('repos:octo/hello').toString('base64url');
    for (const nextToken of ['', 'x', '%%%', 'dGFza3M6', foreign, 'a'.repeat(5_000), "' OR 1=1 --"])
      await expect(tasks.list({ limit: 5, nextToken }), nextToken).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        field: 'next_token',
      });
  });

  it('lists the tasks of statuses oldest first, batch by batch', async () => {
    const own = await create();
    try {
      const ids: string[] = [];
      for (const status of TASK_STATUSES) {
        const task = aTask({ task_id: newTaskId(), status, user_id: status });
        await own.stores.tasks.create(task, []);
        if (status === 'RUNNING' || status === 'QUEUED' || status === 'FINALIZING') ids.push(task.task_id);
      }
      const batch = async (limit: number, after?: string) =>
        (await own.stores.tasks.listByStatus(['FINALIZING', 'RUNNING', 'QUEUED'], limit, after)).map(
          ({ task_id }) => task_id,
        );
      expect(await batch(10)).toEqual(ids);
      expect(await batch(2)).toEqual(ids.slice(0, 2));
      expect(await batch(2, ids[1])).toEqual(ids.slice(2));
      expect(await own.stores.tasks.listByStatus([], 10)).toEqual([]);
    } finally {
      await own.close();
    }
  });

  it('sweeps what ended long ago, with all that belongs to it, and nothing else (T8)', async () => {
    const own = await create();
    try {
      const { stores, clock } = own;
      const begun = async (key: string): Promise<Task> => {
        const task = aTask({ task_id: newTaskId(), status: 'RUNNING' });
        await stores.tasks.create(task, [aCreation], { key, bodyHash: key });
        await stores.outcomes.put(task.task_id, 1, anOutcome());
        await stores.wakeups.signal(task.task_id);
        await stores.nudges.add(
          {
            nudge_id: newTaskId(),
            task_id: task.task_id,
            user_id: task.user_id,
            message: 'go on',
            submitted_at: task.created_at,
            idempotency_key: null,
            settled_at: null,
          },
          [],
        );
        return task;
      };
      const end = (task: Task) =>
        stores.tasks.transition(task.task_id, { from: 'RUNNING', to: 'FAILED' }, endOf('FAILED'));
      const [old, older, fresh, running] = [
        await begun('a'),
        await begun('b'),
        await begun('c'),
        await begun('d'),
      ];
      await end(older);
      clock.advance(1_000);
      await end(old);
      clock.advance(1_000);
      const endedBefore = new Date(clock.now()).toISOString();
      for (const [lease, ttlMs] of Object.entries({ forgotten: -1, fresh: 0, held: 1_000 }))
        await stores.leases.acquire(lease, { owner: 'a', epoch: 1, ttlMs });
      await end(fresh);

      expect(await stores.tasks.sweep(endedBefore, 1)).toEqual([older.task_id]);
      expect(await stores.tasks.sweep(endedBefore, 10)).toEqual([old.task_id]);
      expect(await stores.tasks.sweep(endedBefore, 10)).toEqual([]);

      expect((await stores.tasks.list({ limit: 10 })).items.map(({ task_id }) => task_id)).toEqual([
        running.task_id,
        fresh.task_id,
      ]);
      for (const { task_id } of [old, older])
        expect(await stores.events.list(task_id, { limit: 5 })).toEqual({ items: [], nextToken: null });
      for (const { task_id } of [fresh, running])
        expect((await stores.events.list(task_id, { limit: 5 })).items).not.toEqual([]);
      expect(await stores.outcomes.get(old.task_id, 1)).toBeUndefined();
      expect(await stores.outcomes.get(running.task_id, 1)).toBeDefined();
      expect(await stores.wakeups.park(old.task_id, 'callback')).toEqual({ pending: false });
      expect(await stores.nudges.waiting(old.task_id, 1)).toEqual([]);
      expect(await stores.nudges.waiting(running.task_id, 1)).toHaveLength(1);
      expect((await stores.leases.list('')).map(({ name }) => name)).toEqual(['fresh', 'held']);
      const again = aTask({ task_id: newTaskId() });
      expect(
        await stores.tasks.findByIdempotencyKey(again.user_id, { key: 'a', bodyHash: 'a' }),
      ).toBeUndefined();
      expect(await stores.tasks.create(again, [], { key: 'a', bodyHash: 'other' })).toMatchObject({
        created: true,
      });
    } finally {
      await own.close();
    }
  });
}
