import { ConditionFailed } from '../../sqlite/database.ts';
import { BgAgentError } from '../../task/errors.ts';
import { LIVE_STATUSES } from '../../task/status.ts';
import { checkTerminalEvents } from '../moves.ts';
import { type NudgeStore, nudgeRecordSchema } from '../nudge-store.ts';
import type { StoreParts } from './event-log.ts';
import { places, recordOf, setFields } from './rows.ts';
import { readTask, taskNotFound } from './task-conditions.ts';

export function createNudgeStore({ database, log }: Omit<StoreParts, 'now'>): NudgeStore {
  return {
    async add(nudge, events) {
      checkTerminalEvents(null, events);
      const { task_id, nudge_id, user_id, idempotency_key } = nudge;
      try {
        await log.write(
          task_id,
          [
            {
              sql: `INSERT INTO nudges (nudge_id, task_id, user_id, idempotency_key, doc)
                    SELECT ?, task_id, ?, ?, ? FROM tasks WHERE task_id = ? AND status IN (${places(LIVE_STATUSES)})
                    ON CONFLICT (task_id, user_id, idempotency_key) DO NOTHING`,
              params: [nudge_id, user_id, idempotency_key, JSON.stringify(nudge), task_id, ...LIVE_STATUSES],
              expect: 'changed',
            },
          ],
          events,
        );
        return { nudge, created: true };
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        const earlier = database.get(
          'SELECT doc FROM nudges WHERE task_id = ? AND user_id = ? AND idempotency_key = ?',
          task_id,
          user_id,
          idempotency_key,
        );
        if (earlier) return { nudge: recordOf(nudgeRecordSchema, earlier), created: false };
        const task = readTask(database, task_id);
        if (!task) throw taskNotFound(task_id);
        throw new BgAgentError('TASK_ALREADY_TERMINAL', `task ${task_id} has ended as ${task.status}`);
      }
    },

    async waiting(taskId, limit) {
      const rows = database.all(
        'SELECT doc FROM nudges WHERE task_id = ? AND settled_at IS NULL ORDER BY nudge_id LIMIT ?',
        taskId,
        limit,
      );
      return rows.map((row) => recordOf(nudgeRecordSchema, row));
    },

    async settle(taskId, nudgeIds, at) {
      const set = setFields({ settled_at: at });
      await database.write(
        nudgeIds.map((id) => ({
          sql: `UPDATE nudges SET settled_at = ?, doc = ${set.sql} WHERE nudge_id = ? AND task_id = ? AND settled_at IS NULL`,
          params: [at, ...set.params, id, taskId],
        })),
      );
    },
  };
}
