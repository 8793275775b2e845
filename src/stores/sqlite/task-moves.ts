import { ConditionFailed, type Statement } from '../../sqlite/database.ts';
import { BgAgentError } from '../../task/errors.ts';
import { isTerminal, LIVE_STATUSES, type TaskStatus } from '../../task/status.ts';
import { type Task, taskSchema } from '../../task/task.ts';
import { checkTerminalEvents, legalOrigins, stampedPatch, whyNotMoved } from '../moves.ts';
import type { TaskPatch, TaskStore } from '../task-store.ts';
import type { StoreParts } from './event-log.ts';
import { places, recordOf, setFields } from './rows.ts';
import { readTask, taskMoved, taskNotFound } from './task-conditions.ts';

type TaskMoves = Pick<TaskStore, 'transition' | 'update'>;

export function createTaskMoves({ database, log, now }: StoreParts): TaskMoves {
  return {
    async transition(taskId, move, events) {
      const origins = legalOrigins(move);
      checkTerminalEvents(move.to, events);
      const at = new Date(now()).toISOString();
      const statements = [
        updateTask({
          taskId,
          patch: stampedPatch(move, at),
          to: move.to,
          at,
          when: { statuses: origins, attempt: move.attempt },
        }),
        ...slotOfMove(taskId, move.to),
      ];
      try {
        return changedTask(await log.write(taskId, statements, events));
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        const task = readTask(database, taskId);
        if (!task) throw taskNotFound(taskId);
        throw whyNotMoved(task, move);
      }
    },

    async update(taskId, { when = {}, patch }, events = []) {
      checkTerminalEvents(null, events);
      const at = new Date(now()).toISOString();
      const statement = updateTask({
        taskId,
        patch,
        at,
        when: { ...when, statuses: when.statuses ?? LIVE_STATUSES },
      });
      try {
        return changedTask(await log.write(taskId, [statement], events));
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        const task = readTask(database, taskId);
        throw task ? taskMoved(task) : taskNotFound(taskId);
      }
    },
  };
}

export interface TaskUpdate {
  taskId: string;
  patch: TaskPatch;
  /** The new status, when the task moves. */
  to?: TaskStatus;
  /** ISO 8601. */
  at: string;
  when: {
    statuses: readonly TaskStatus[];
    attempt?: number | undefined;
    cancelRequested?: boolean | undefined;
  };
  /** A further condition in SQL on the row of `tasks`. */
  and?: string;
}

/** The one conditional write of a task: record and columns together, from nothing but the row itself. Returns the new `doc`. */
export function updateTask({ taskId, patch, to, at, when, and }: TaskUpdate): Statement {
  const fields = { ...patch, ...(to ? { status: to } : {}), updated_at: at };
  const doc = setFields(fields);
  const set = [`doc = ${doc.sql}`];
  const params: (string | number)[] = [...doc.params];
  const assign = (column: string, value: string | number): void => {
    set.push(`${column} = ?`);
    params.push(value);
  };
  if (patch.attempt !== undefined) assign('attempt', patch.attempt);
  if (to) assign('status', to);
  if (to && isTerminal(to)) assign('ended_at', patch.completed_at ?? at);
  if (to === 'QUEUED') {
    set.push("queue_key = CASE WHEN doc ->> 'cancel_requested_at' IS NULL THEN ? END");
    params.push(`${patch.queued_at ?? at} ${taskId}`);
  } else if (to || patch.cancel_requested_at) set.push('queue_key = NULL');

  const where = [`task_id = ?`, `status IN (${places(when.statuses)})`];
  params.push(taskId, ...when.statuses);
  if (when.attempt !== undefined) {
    where.push('attempt = ?');
    params.push(when.attempt);
  }
  if (when.cancelRequested !== undefined)
    where.push(`doc ->> 'cancel_requested_at' IS ${when.cancelRequested ? 'NOT ' : ''}NULL`);
  if (and) where.push(and);
  return {
    sql: `UPDATE tasks SET ${set.join(', ')} WHERE ${where.join(' AND ')} RETURNING doc`,
    params,
    expect: 'changed',
    returns: true,
  };
}

/** A task holds a slot while its status is active: HYDRATING is the only way in, a terminal status the only way out. */
export function slotOfMove(taskId: string, to: TaskStatus): Statement[] {
  if (to === 'HYDRATING')
    return [
      {
        sql: 'INSERT INTO slots (task_id, user_id) SELECT task_id, user_id FROM tasks WHERE task_id = ? ON CONFLICT DO NOTHING',
        params: [taskId],
      },
    ];
  return isTerminal(to) ? [{ sql: 'DELETE FROM slots WHERE task_id = ?', params: [taskId] }] : [];
}

/** The task as a unit left it, whose first statement is `updateTask`. */
export function changedTask(results: readonly { rows: readonly Parameters<typeof recordOf>[1][] }[]): Task {
  const row = results[0]?.rows[0];
  if (!row) throw new BgAgentError('INTERNAL_ERROR', 'a conditional write returned no task');
  return recordOf(taskSchema, row);
}
