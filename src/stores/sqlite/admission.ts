import { ConditionFailed } from '../../sqlite/database.ts';
import { ACTIVE_STATUSES, LIVE_STATUSES } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';
import type { TaskStore } from '../task-store.ts';
import type { StoreParts } from './event-log.ts';
import { places } from './rows.ts';
import { readTask, taskMoved, taskNotFound } from './task-conditions.ts';
import { changedTask, slotOfMove, updateTask } from './task-moves.ts';

/** How many tasks may be active at once, of one user and of all. */
interface Limits {
  perUser: number;
  system: number;
}

type Admission = Pick<
  TaskStore,
  'admit' | 'admissible' | 'slots' | 'releaseStaleSlot' | 'queuePosition' | 'ownQueuePosition'
>;

/** `queued_at` and a space come before the task id in a `queue_key`. */
const ID_AT = '2030-01-01T00:00:00.000Z '.length + 1;

/**
 * Queued tasks before `before` (an expression of SQL) that may have a slot, in the order of the queue: each user's first ones, as
 * many as the user has room, merged until the system has none. However long the queue is, it costs a look at each user who has
 * something in it and a step for each task let in.
 */
const letIn = ({ perUser, system }: Limits, before: string): string => `
  WITH RECURSIVE waiting (user_id) AS (
    SELECT * FROM (SELECT user_id FROM tasks AS queued WHERE queue_key IS NOT NULL ORDER BY user_id LIMIT 1)
    UNION ALL
    SELECT (
      SELECT user_id FROM tasks AS queued
      WHERE queue_key IS NOT NULL AND user_id > waiting.user_id ORDER BY user_id LIMIT 1
    ) FROM waiting WHERE waiting.user_id IS NOT NULL
  ),
  room (user_id, free) AS (
    SELECT user_id, ${integer(perUser)} - (SELECT count(*) FROM slots WHERE slots.user_id = waiting.user_id)
    FROM waiting WHERE user_id IS NOT NULL
  ),
  let_in (user_id, free, queue_key) AS (
    SELECT room.user_id, room.free, head.queue_key
    FROM room JOIN tasks AS head ON head.rowid = (
      SELECT rowid FROM tasks AS queued
      WHERE queued.user_id = room.user_id AND queue_key < ${before} ORDER BY queue_key LIMIT 1
    )
    WHERE room.free > 0
    UNION ALL
    SELECT let_in.user_id, let_in.free - 1, next.queue_key
    FROM let_in JOIN tasks AS next ON next.rowid = (
      SELECT rowid FROM tasks AS queued
      WHERE queued.user_id = let_in.user_id AND queue_key > let_in.queue_key AND queue_key < ${before}
      ORDER BY queue_key LIMIT 1
    )
    WHERE let_in.free > 1
    ORDER BY 3 LIMIT (SELECT max(0, ${integer(system)} - count(*)) FROM slots)
  )`;

/** After every `queue_key`. */
const END = "'~'";

/** Holds for a row of `tasks` that may have a slot: its user and the system have room once the older ones are in. */
function mayHaveSlot(limits: Limits): string {
  // A task that is not in the queue yet would come last.
  const place = `coalesce(tasks.queue_key, ${END})`;
  const { perUser, system } = limits;
  return `
    (SELECT count(*) FROM slots WHERE slots.user_id = tasks.user_id)
    + (SELECT count(*) FROM (
        SELECT 1 FROM tasks AS older
        WHERE older.user_id = tasks.user_id AND older.queue_key < ${place} LIMIT ${integer(perUser)}
      )) < ${integer(perUser)}
    AND (SELECT count(*) FROM slots)
    + (SELECT count(*) FROM (${letIn(limits, place)} SELECT 1 FROM let_in)) < ${integer(system)}`;
}

/** A number inside a text of SQL: limits are settings, so the texts stay few. */
function integer(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer`);
  return String(value);
}

/** How often an admission is tried again because room appeared between its refusal and the look at why. */
const TRIES = 3;

export function createAdmission({ database, log, now }: StoreParts): Admission {
  /** Why a task was refused; null when it would be let in by now. */
  function reasonFor(task: Task, { perUser, system }: Limits): string | null {
    const condition = mayHaveSlot({ perUser, system });
    if (database.get(`SELECT 1 FROM tasks WHERE task_id = ? AND ${condition}`, task.task_id)) return null;
    const used = database.get(
      'SELECT count(*) AS system, (SELECT count(*) FROM slots WHERE user_id = ?) AS user FROM slots',
      task.user_id,
    );
    if (Number(used?.user) >= perUser) return `${used?.user} of ${perUser} tasks of the user are active`;
    if (Number(used?.system) >= system) return `${used?.system} of ${system} tasks of the system are active`;
    return 'older tasks of the queue come first';
  }

  return {
    async admit(taskId, { perUser, system, attempt }, patch, events) {
      let reason: string | null = null;
      for (let tries = 0; tries < TRIES; tries += 1) {
        const statement = updateTask({
          taskId,
          patch,
          to: 'HYDRATING',
          at: new Date(now()).toISOString(),
          when: { statuses: ['SUBMITTED', 'QUEUED'], attempt },
          and: mayHaveSlot({ perUser, system }),
        });
        try {
          const results = await log.write(taskId, [statement, ...slotOfMove(taskId, 'HYDRATING')], events);
          return { kind: 'admitted', task: changedTask(results) };
        } catch (error) {
          if (!(error instanceof ConditionFailed)) throw error;
        }
        const task = readTask(database, taskId);
        if (!task) throw taskNotFound(taskId);
        if (task.attempt !== attempt) throw taskMoved(task);
        if (ACTIVE_STATUSES.some((status) => status === task.status)) return { kind: 'admitted', task };
        if (task.status !== 'SUBMITTED' && task.status !== 'QUEUED') throw taskMoved(task);
        reason = reasonFor(task, { perUser, system });
        if (reason !== null) break;
      }
      return { kind: 'full', reason: reason ?? 'other tasks were faster' };
    },

    async admissible(limits, limit) {
      const rows = database.all(
        `${letIn(limits, END)} SELECT substr(queue_key, ${ID_AT}) AS task_id FROM let_in LIMIT ?`,
        limit,
      );
      return rows.map(({ task_id }) => String(task_id));
    },

    async slots() {
      const rows = database.all('SELECT user_id, task_id FROM slots ORDER BY user_id, task_id');
      return rows.map(({ user_id, task_id }) => ({ userId: String(user_id), taskId: String(task_id) }));
    },

    async releaseStaleSlot(userId, taskId) {
      const [deleted] = await database.write([
        {
          sql: `DELETE FROM slots WHERE task_id = ? AND user_id = ?
                AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.task_id = slots.task_id AND status IN (${places(LIVE_STATUSES)}))`,
          params: [taskId, userId, ...LIVE_STATUSES],
        },
      ]);
      return deleted?.changes === 1;
    },

    async queuePosition(taskId) {
      const row = database.get(
        `SELECT (SELECT count(*) FROM tasks AS older WHERE older.queue_key < tasks.queue_key) AS position
         FROM tasks WHERE task_id = ? AND queue_key IS NOT NULL`,
        taskId,
      );
      return row ? Number(row.position) : null;
    },

    async ownQueuePosition(taskId) {
      const row = database.get(
        `SELECT (SELECT count(*) FROM tasks AS older
                 WHERE older.user_id = tasks.user_id AND older.queue_key < tasks.queue_key) AS position
         FROM tasks WHERE task_id = ? AND queue_key IS NOT NULL`,
        taskId,
      );
      return row ? Number(row.position) : null;
    },
  };
}
