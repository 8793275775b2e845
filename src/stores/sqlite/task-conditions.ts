import type { Database, Statement } from '../../sqlite/database.ts';
import type { BgAgentError } from '../../task/errors.ts';
import { LIVE_STATUSES } from '../../task/status.ts';
import { type Task, taskSchema } from '../../task/task.ts';
import { whyNotCurrent as reasonNotCurrent, taskMoved, taskNotFound } from '../moves.ts';
import { places, recordOf } from './rows.ts';

/** Conditions on a task inside a unit of writes, and afterwards the words for why one did not hold. */

export function readTask(database: Database, taskId: string): Task | undefined {
  const row = database.get('SELECT doc FROM tasks WHERE task_id = ?', taskId);
  return row && recordOf(taskSchema, row);
}

/** Holds while the attempt drives the live task; its row is the task's owner and repository. */
export const currentAttempt = (taskId: string, attempt: number): Statement => ({
  sql: `SELECT user_id, repo FROM tasks WHERE task_id = ? AND attempt = ? AND status IN (${places(LIVE_STATUSES)})`,
  params: [taskId, attempt, ...LIVE_STATUSES],
  expect: 'changed',
  returns: true,
});

export const whyNotCurrent = (database: Database, taskId: string, attempt: number): BgAgentError =>
  reasonNotCurrent(readTask(database, taskId), taskId, attempt);

export { taskMoved, taskNotFound };
