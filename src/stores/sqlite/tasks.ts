import { ConditionFailed, type Database, type Statement } from '../../sqlite/database.ts';
import { BgAgentError } from '../../task/errors.ts';
import { TASK_STATUSES, type TaskStatus } from '../../task/status.ts';
import { type Task, taskSchema } from '../../task/task.ts';
import { checkTerminalEvents } from '../moves.ts';
import { pagePosition, pageToken, toPage } from '../page-token.ts';
import type { TaskStore } from '../task-store.ts';
import type { StoreParts } from './event-log.ts';
import { places, recordOf } from './rows.ts';
import { readTask } from './task-conditions.ts';

type TaskRecords = Pick<
  TaskStore,
  'create' | 'get' | 'findByIdempotencyKey' | 'list' | 'listByStatus' | 'sweep'
>;

/** More than any task id. */
const NEWEST = '~';

/** Tables that keep something of a task; it goes with the task. */
const OF_TASK = [
  'events',
  'outcomes',
  'nudges',
  'wakeups',
  'idempotency_keys',
  'slots',
  'deliveries',
  'messages',
  'tasks',
];

export function createTaskRecords({ database, log }: Omit<StoreParts, 'now'>): TaskRecords {
  return {
    async create(task, events, idempotency) {
      checkTerminalEvents(null, events);
      const statements: Statement[] = [
        {
          sql: 'INSERT INTO tasks (task_id, user_id, repo, status, attempt, doc) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
          params: [task.task_id, task.user_id, task.repo, task.status, task.attempt, JSON.stringify(task)],
          expect: 'changed',
        },
      ];
      if (idempotency)
        statements.unshift({
          sql: 'INSERT INTO idempotency_keys (user_id, key, body_hash, task_id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
          params: [task.user_id, idempotency.key, idempotency.bodyHash, task.task_id],
          expect: 'changed',
        });
      try {
        await log.write(task.task_id, statements, events);
        return { task, created: true };
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        const earlier = idempotency && taskOfKey(database, task.user_id, idempotency);
        if (earlier) return { task: earlier, created: false };
        throw new BgAgentError('DUPLICATE_TASK', `task ${task.task_id} exists already`);
      }
    },

    async get(taskId) {
      return readTask(database, taskId);
    },

    async findByIdempotencyKey(userId, idempotency) {
      return taskOfKey(database, userId, idempotency);
    },

    async list({ userId, statuses, repo, limit, nextToken }) {
      const before = pagePosition('tasks', nextToken, NEWEST);
      const order = { before, limit: limit + 1 };
      const rows =
        repo === undefined
          ? byStatus(database, { userId, statuses, ...order })
          : ofRepo(database, { repo, userId, statuses, ...order });
      const tasks = rows.map((row) => recordOf(taskSchema, row));
      return toPage(tasks, limit, (last) => pageToken('tasks', last.task_id));
    },

    async listByStatus(statuses, limit, after = '') {
      const each = statuses.map(
        () =>
          'SELECT * FROM (SELECT task_id FROM tasks WHERE status = ? AND task_id > ? ORDER BY task_id LIMIT ?)',
      );
      const rows = database.all(
        `SELECT doc FROM tasks WHERE task_id IN (${each.join(' UNION ALL ') || 'NULL'}) ORDER BY task_id LIMIT ?`,
        ...statuses.flatMap((status) => [status, after, limit]),
        limit,
      );
      return rows.map((row) => recordOf(taskSchema, row));
    },

    async sweep(endedBefore, limit) {
      const due = database.all(
        'SELECT task_id FROM tasks WHERE ended_at < ? ORDER BY ended_at LIMIT ?',
        endedBefore,
        limit,
      );
      const ids = due.map(({ task_id }) => String(task_id));
      await database.write([
        {
          sql: 'DELETE FROM leases WHERE name IN (SELECT name FROM leases WHERE expires_at_ms < ? LIMIT ?)',
          params: [Date.parse(endedBefore), limit],
        },
      ]);
      // A unit for each task, so that a large backlog never keeps other writes waiting. An end is final: no condition is needed.
      for (const id of ids)
        await database.write(
          OF_TASK.map((table) => ({ sql: `DELETE FROM ${table} WHERE task_id = ?`, params: [id] })),
        );
      return ids;
    },
  };
}

function taskOfKey(
  database: Database,
  userId: string,
  { key, bodyHash }: { key: string; bodyHash: string },
): Task | undefined {
  const row = database.get(
    'SELECT body_hash, doc FROM idempotency_keys JOIN tasks USING (task_id) WHERE idempotency_keys.user_id = ? AND key = ?',
    userId,
    key,
  );
  if (!row) return undefined;
  if (row.body_hash !== bodyHash)
    throw new BgAgentError('DUPLICATE_TASK', 'the idempotency key was used before, with another request');
  return recordOf(taskSchema, row);
}

interface Filter {
  userId: string | undefined;
  statuses: readonly TaskStatus[] | undefined;
  before: string;
  limit: number;
}

/** The newest of each status by its index, then the newest of these: no filter makes it read more than `limit` a status. */
function byStatus(database: Database, { userId, statuses, before, limit }: Filter) {
  if (userId === undefined && statuses === undefined)
    return database.all(
      'SELECT doc FROM tasks WHERE task_id < ? ORDER BY task_id DESC LIMIT ?',
      before,
      limit,
    );
  const wanted = [...new Set(statuses ?? TASK_STATUSES)];
  const owner = userId === undefined ? [] : [userId];
  const each = wanted.map(
    () => `SELECT * FROM (SELECT task_id FROM tasks WHERE ${owner.length > 0 ? 'user_id = ? AND ' : ''}status = ?
           AND task_id < ? ORDER BY task_id DESC LIMIT ?)`,
  );
  return database.all(
    `SELECT doc FROM tasks WHERE task_id IN (${each.join(' UNION ALL ') || 'NULL'}) ORDER BY task_id DESC LIMIT ?`,
    ...wanted.flatMap((status) => [...owner, status, before, limit]),
    limit,
  );
}

function ofRepo(database: Database, { repo, userId, statuses, before, limit }: Filter & { repo: string }) {
  // The plus keeps the status out of the choice of an index: the repository's is the one that gives the order.
  const only = statuses ? `AND +status IN (${places(statuses)})` : '';
  return database.all(
    `SELECT doc FROM tasks WHERE repo = ? ${userId === undefined ? '' : 'AND user_id = ?'} ${only}
     AND task_id < ? ORDER BY task_id DESC LIMIT ?`,
    repo,
    ...(userId === undefined ? [] : [userId]),
    ...(statuses ?? []),
    before,
    limit,
  );
}
