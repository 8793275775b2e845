import { ConditionFailed } from '../../sqlite/database.ts';
import { outcomeReportSchema } from '../../task/protocol.ts';
import { checkTerminalEvents } from '../moves.ts';
import type { OutcomeStore } from '../outcome-store.ts';
import type { StoreParts } from './event-log.ts';
import { recordOf } from './rows.ts';
import { currentAttempt, whyNotCurrent } from './task-conditions.ts';

export function createOutcomeStore({ database, log }: Omit<StoreParts, 'now'>): OutcomeStore {
  const read = (taskId: string, attempt: number) =>
    database.get('SELECT doc FROM outcomes WHERE task_id = ? AND attempt = ?', taskId, attempt);

  return {
    async put(taskId, attempt, outcome, events = []) {
      checkTerminalEvents(null, events);
      const insert = {
        sql: 'INSERT INTO outcomes (task_id, attempt, doc) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
        params: [taskId, attempt, JSON.stringify(outcome)],
        expect: 'changed',
      } as const;
      try {
        await log.write(taskId, [currentAttempt(taskId, attempt), insert], events);
        return { first: true };
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        if (read(taskId, attempt)) return { first: false };
        throw whyNotCurrent(database, taskId, attempt);
      }
    },

    async get(taskId, attempt) {
      const row = read(taskId, attempt);
      return row && recordOf(outcomeReportSchema, row);
    },
  };
}
