import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTaskId } from '../../../test/contracts/stores.contract.ts';
import { aCreation, aMilestone, endOf } from '../../../test/fixtures/events.ts';
import { anOutcome } from '../../../test/fixtures/outcome.ts';
import { aRepo } from '../../../test/fixtures/repo.ts';
import { aTask } from '../../../test/fixtures/task.ts';
import type { Database } from '../../sqlite/database.ts';
import { openDatabase } from '../../sqlite/open.ts';
import { DELIVERY_STATES } from '../delivery-store.ts';
import type { Stores } from '../stores.ts';
import { createSqliteStores, storeMigrations } from './stores.ts';

/** What the query plan may read from end to end, and why that is all right. */
const SCANS_ALLOWED: Readonly<Record<string, string>> = {
  'SCAN slots': 'as many rows as tasks may be active in the whole system',
  'SCAN slots USING COVERING INDEX slots_by_user': 'the same',
  'SCAN queued USING COVERING INDEX tasks_queued_by_user': 'the first entry only (LIMIT 1)',
  'SCAN waiting': 'users with something in the queue',
  'SCAN let_in': 'tasks that have room',
  'SCAN json_each VIRTUAL TABLE INDEX 1:': 'the events or deliveries of one write',
  'SCAN CONSTANT ROW': 'values',
};

let folder: string;
let database: Database;
let stores: Stores;
let writes = 0;
const texts = new Set<string>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bgagent-statements-'));
  database = await openDatabase({ file: join(folder, 'bgagent.db'), migrations: [storeMigrations] });
  const seen: Database = {
    ...database,
    write(statements) {
      writes += 1;
      for (const { sql } of statements) texts.add(sql);
      return database.write(statements);
    },
    all(sql, ...params) {
      texts.add(sql);
      return database.all(sql, ...params);
    },
    get(sql, ...params) {
      texts.add(sql);
      return database.get(sql, ...params);
    },
  };
  stores = createSqliteStores({ database: seen, now: Date.now });
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true });
});

const limits = { perUser: 2, system: 3 };
const unitsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const before = writes;
  await work();
  return writes - before;
};

/** A life of everything that the stores can do. */
async function useEverything({
  tasks,
  events,
  wakeups,
  outcomes,
  leases,
  repos,
  apiKeys,
  deliveries,
  messages,
  accountLinks,
}: Stores): Promise<void> {
  const task = aTask({ task_id: newTaskId(), user_id: 'everything' });
  const id = task.task_id;
  await tasks.create(task, [aCreation], { key: 'k', bodyHash: 'h' });
  await tasks.create({ ...task, task_id: newTaskId() }, [], { key: 'k', bodyHash: 'h' });
  await tasks.findByIdempotencyKey('everything', { key: 'k', bodyHash: 'h' });
  await tasks.transition(id, { from: 'SUBMITTED', to: 'QUEUED' }, []);
  await tasks.queuePosition(id);
  await tasks.ownQueuePosition(id);
  await tasks.admissible(limits, 10);
  await expect(tasks.admit(newTaskId(), { ...limits, attempt: 1 }, {}, [])).rejects.toThrow();
  await tasks.admit(id, { perUser: 0, system: 3, attempt: 1 }, {}, []);
  await tasks.admit(id, { ...limits, attempt: 1 }, {}, [aMilestone('in')]);
  await tasks.update(id, { when: { cancelRequested: false, attempt: 1 }, patch: { waiting_for: 'x' } });
  await tasks.slots();
  await tasks.releaseStaleSlot('u', id);
  await tasks.listByStatus(['HYDRATING', 'RUNNING'], 10, '0');
  for (const userId of [undefined, 'everything'])
    for (const repo of [undefined, 'octo/hello'])
      for (const statuses of [undefined, ['RUNNING', 'FAILED'] as const])
        await tasks.list({
          limit: 5,
          ...(userId && { userId }),
          ...(repo && { repo }),
          ...(statuses && { statuses }),
        });
  await events.appendReported(id, 1, [
    { seq: 0, event: aMilestone('n'), timestamp: new Date().toISOString() },
  ]);
  for (const desc of [true, false]) await events.list(id, { limit: 5, desc });
  await events.feed('', 5);
  await wakeups.park(id, 'c');
  await wakeups.signal(id);
  await wakeups.take(id);
  await wakeups.forget(id);
  await outcomes.put(id, 1, anOutcome());
  await outcomes.get(id, 1);
  await leases.acquire('l', { owner: 'a', epoch: 1, ttlMs: 1 });
  await leases.renew('l', { owner: 'a', epoch: 1, ttlMs: 1 });
  await leases.get('l');
  await leases.list('l');
  await leases.release('l', { owner: 'a', epoch: 1 });
  await repos.put(aRepo());
  await repos.get('octo/hello');
  await repos.list({ limit: 5 });
  const at = new Date().toISOString();
  await apiKeys.create({
    key_id: 'k',
    user_id: 'u',
    name: 'n',
    secret_hash: '',
    scopes: ['admin'],
    created_at: at,
    expires_at: null,
    last_used_at: null,
    revoked_at: null,
  });
  await apiKeys.list({ limit: 5 });
  await apiKeys.list({ userId: 'u', limit: 5 });
  await apiKeys.touch('k', at);
  await apiKeys.revoke('k', at);
  const [event] = await events.feed('', 1);
  if (!event) throw new Error('the feed is empty');
  const rows = [{ channel: 'slack', event, type: event.event_type }];
  await deliveries.append(rows, { reader: 'r', cursor: event.event_id });
  await deliveries.cursor('r');
  await deliveries.nextDue('slack');
  await deliveries.claim({ channel: 'slack', owner: 'o', leaseMs: 1, limit: 5 });
  await deliveries.releaseClaims('p');
  const deliveryId = `${event.event_id}.slack`;
  const claimed = { delivery_id: deliveryId, attempts: 1 };
  await deliveries.settle(claimed, { kind: 'retry', dueAtMs: 1, note: '', countsAsFailure: true });
  await deliveries.settle(claimed, { kind: 'dead', note: '' });
  for (const state of [undefined, ...DELIVERY_STATES]) await deliveries.list({ state, limit: 5 });
  await deliveries.replay(deliveryId).catch(() => undefined);
  const slot = { taskId: id, channel: 'slack', slot: 's' };
  await messages.claim(slot, 'e', 1);
  await messages.update(slot, 'e', { deleted: true, ref: { a: 'b' }, attempted_at_ms: null });
  await messages.list(id, 'slack');
  await messages.release(slot, 'e');
  const link = { provider: 'slack', user_id: 'u', scopes: [], key_id: null };
  await accountLinks.put({ ...link, external_id: 'T/U', created_at: at });
  await accountLinks.get('slack', 'T/U');
  await accountLinks.list('slack', 'T/');
  await accountLinks.putCode({ ...link, code_hash: 'h', expires_at_ms: 0 });
  await accountLinks.takeCode('slack', 'h');
  await accountLinks.delete('slack', 'T/U');
  await tasks.transition(id, { from: 'HYDRATING', to: 'FAILED' }, endOf('FAILED'));
  await tasks.sweep('9', 5);
}

describe('statements', () => {
  it('never read a table from end to end', async () => {
    await useEverything(stores);
    expect(texts.size).toBeGreaterThan(40);
    const scans = [...texts].flatMap((sql) =>
      database
        .all(`EXPLAIN QUERY PLAN ${sql}`)
        .map(({ detail }) => String(detail))
        .filter((detail) => /^SCAN (?!\(subquery-)/.test(detail))
        .filter((detail) => !(detail in SCANS_ALLOWED))
        .map((detail) => `${detail}: ${sql}`),
    );
    expect(scans).toEqual([]);
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'tasks of a user',
      () => stores.tasks.list({ userId: 'u', limit: 5 }),
      /by_user_status \(user_id=\? AND status=\? AND task_id<\?/,
    ],
    [
      'tasks in statuses',
      () => stores.tasks.list({ statuses: ['FAILED'], limit: 5 }),
      /by_status \(status=\? AND task_id<\?/,
    ],
    [
      'tasks of a repository',
      () => stores.tasks.list({ repo: 'r', statuses: ['FAILED'], limit: 5 }),
      /by_repo \(repo=\? AND task_id<\?/,
    ],
    [
      'tasks of both',
      () => stores.tasks.list({ userId: 'u', repo: 'r', limit: 5 }),
      /by_user_repo \(user_id=\? AND repo=\? AND task_id<\?/,
    ],
    [
      'the task of an idempotency key',
      () => stores.tasks.findByIdempotencyKey('u', { key: 'k', bodyHash: 'h' }),
      /idempotency_keys USING PRIMARY KEY \(user_id=\? AND key=\?/,
    ],
    ['live tasks', () => stores.tasks.listByStatus(['RUNNING'], 5), /by_status \(status=\? AND task_id>\?/],
    ['the place in the queue', () => stores.tasks.queuePosition('t'), /tasks_queued \(queue_key<\?/],
    [
      'the place among the own ones in the queue',
      () => stores.tasks.ownQueuePosition('t'),
      /queued_by_user \(user_id=\? AND queue_key<\?/,
    ],
    [
      'webhooks of a user',
      () => stores.webhooks.list({ userId: 'u', limit: 5 }),
      /webhooks_by_user \(user_id=\? AND webhook_id>\?/,
    ],
    ['nudges that wait', () => stores.nudges.waiting('t', 5), /nudges_waiting \(task_id=\?/],
    [
      'the head of the queue',
      () => stores.tasks.admissible(limits, 5),
      /queued_by_user \(user_id=\? AND queue_key>\?/,
    ],
    ['a user’s slots', () => stores.tasks.admissible(limits, 5), /slots_by_user \(user_id=\?/],
    [
      'events of a task',
      () => stores.events.list('t', { limit: 5 }),
      /events_by_task \(task_id=\? AND event_id>\?/,
    ],
    ['the feed', () => stores.events.feed('', 5), /events USING PRIMARY KEY \(event_id>\?/],
    [
      'API keys of a user',
      () => stores.apiKeys.list({ userId: 'u', limit: 5 }),
      /api_keys_by_user \(user_id=\? AND key_id>\?/,
    ],
    [
      'due deliveries',
      () => stores.deliveries.claim({ channel: 'c', owner: 'o', leaseMs: 1, limit: 5 }),
      /deliveries_due \(channel=\? AND due_ms>\? AND due_ms<\?/,
    ],
    [
      'what waits behind a delivery',
      () =>
        stores.deliveries.settle(
          { delivery_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV.c', attempts: 1 },
          { kind: 'sent', note: null },
        ),
      /deliveries_open \(task_id=\? AND channel=\?/,
    ],
    [
      'dead deliveries',
      () => stores.deliveries.list({ state: 'dead', limit: 5 }),
      /deliveries_unsent \(state=\? AND \(?event_id/,
    ],
    ['leases', () => stores.leases.list('p'), /leases USING PRIMARY KEY \(name>\? AND name<\?/],
  ])('find %s by the index made for it', async (_, query, index) => {
    texts.clear();
    await query();
    const plan = [...texts].flatMap((sql) =>
      database.all(`EXPLAIN QUERY PLAN ${sql}`).map(({ detail }) => detail),
    );
    expect(plan).toContainEqual(expect.stringMatching(index));
  });

  it('are one unit for each create, move, admission, report and end', async () => {
    const task = aTask({ task_id: newTaskId() });
    const id = task.task_id;
    expect(await unitsOf(() => stores.tasks.create(task, [aCreation], { key: 'one', bodyHash: 'h' }))).toBe(
      1,
    );
    expect(await unitsOf(() => stores.tasks.transition(id, { from: 'SUBMITTED', to: 'QUEUED' }, []))).toBe(1);
    expect(
      await unitsOf(() => stores.tasks.admit(id, { ...limits, attempt: 1 }, {}, [aMilestone('x')])),
    ).toBe(1);
    const report = [{ seq: 0, event: aMilestone('n'), timestamp: '2030-01-01T00:00:00.000Z' }];
    expect(await unitsOf(() => stores.events.appendReported(id, 1, report))).toBe(1);
    expect(await unitsOf(() => stores.outcomes.put(id, 1, anOutcome(), []))).toBe(1);
    expect(await unitsOf(() => stores.wakeups.take(id)), 'nothing to take').toBe(0);
    expect(
      await unitsOf(() => stores.tasks.transition(id, { from: 'HYDRATING', to: 'FAILED' }, endOf('FAILED'))),
    ).toBe(1);
  });

  it('keep the columns equal to the record', async () => {
    const life = [
      ['SUBMITTED', 'QUEUED'],
      ['QUEUED', 'SUBMITTED'],
      ['SUBMITTED', 'HYDRATING'],
      ['HYDRATING', 'RUNNING'],
      ['RUNNING', 'TIMED_OUT'],
    ] as const;
    const task = aTask({ task_id: newTaskId(), user_id: 'columns' });
    await stores.tasks.create(task, []);
    for (const [from, to] of life) {
      await stores.tasks.update(task.task_id, {
        patch: { attempt: life.findIndex(([, at]) => at === to) + 2 },
      });
      await stores.tasks.transition(task.task_id, { from, to }, endOf(to));
      const row = database.get('SELECT * FROM tasks WHERE task_id = ?', task.task_id);
      const record = await stores.tasks.get(task.task_id);
      expect(row).toMatchObject({
        task_id: record?.task_id,
        user_id: record?.user_id,
        repo: record?.repo,
        status: to,
        attempt: record?.attempt,
        ended_at: record?.completed_at,
        queue_key: to === 'QUEUED' ? `${record?.queued_at} ${task.task_id}` : null,
      });
      expect(record?.status).toBe(to);
    }
  });

  it('say when a stored record is damaged', async () => {
    const task = aTask({ task_id: newTaskId() });
    await stores.tasks.create(task, []);
    await database.write([
      { sql: "UPDATE tasks SET doc = json_remove(doc, '$.repo') WHERE task_id = ?", params: [task.task_id] },
    ]);
    await expect(stores.tasks.get(task.task_id)).rejects.toMatchObject({
      code: 'INTERNAL_ERROR',
      message: expect.stringContaining('repo'),
    });
  });
});
