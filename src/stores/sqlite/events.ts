import { ConditionFailed } from '../../sqlite/database.ts';
import { BgAgentError } from '../../task/errors.ts';
import { isUlid } from '../../task/ids.ts';
import type { EventStore } from '../event-store.ts';
import { checkTerminalEvents } from '../moves.ts';
import { invalidToken, toPage } from '../page-token.ts';
import { type StoreParts, toEvent } from './event-log.ts';
import { currentAttempt, whyNotCurrent } from './task-conditions.ts';

const SELECT = `
  SELECT event_id, events.task_id, event_type, timestamp, metadata, user_id, repo
  FROM events LEFT JOIN tasks USING (task_id)`;

/** Less and more than any event id. */
const FIRST = '';
const LAST = '~';

export function createEventStore({ database, log }: Omit<StoreParts, 'now'>): EventStore {
  return {
    async appendReported(taskId, attempt, events) {
      checkTerminalEvents(
        null,
        events.map(({ event }) => event),
      );
      try {
        return await log.writeReported({ taskId, attempt }, currentAttempt(taskId, attempt), events);
      } catch (error) {
        throw error instanceof ConditionFailed ? whyNotCurrent(database, taskId, attempt) : error;
      }
    },

    async list(taskId, { after, nextToken, limit, desc = false }) {
      if (after !== undefined && !isUlid(after))
        throw new BgAgentError('VALIDATION_ERROR', 'after: not an event id', { field: 'after' });
      if (nextToken !== undefined && !isUlid(nextToken)) throw invalidToken();
      const rows = database.all(
        `${SELECT} WHERE events.task_id = ? AND event_id ${desc ? '<' : '>'} ?
         ORDER BY event_id ${desc ? 'DESC' : 'ASC'} LIMIT ?`,
        taskId,
        after ?? nextToken ?? (desc ? LAST : FIRST),
        limit + 1,
      );
      return toPage(rows.map(toEvent), limit, (last) => last.event_id);
    },

    subscribe: log.subscribe,
    subscribeAll: log.subscribeAll,

    async feed(after, limit) {
      return database
        .all(`${SELECT} WHERE event_id > ? ORDER BY event_id LIMIT ?`, after, limit)
        .map(toEvent);
    },
  };
}
