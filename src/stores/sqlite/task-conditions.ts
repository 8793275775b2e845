import type { Database, Statement } from '../../sqlite/database.ts';
import { BgAgentError } from '../../task/errors.ts';
import { LIVE_STATUSES } from '../../task/status.ts';
import { type Task, taskSchema } from '../../task/task.ts';
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

/** Attempts only grow and ends are final, so a later look finds the reason too. */
export function whyNotCurrent(database: Database, taskId: string, attempt: number): BgAgentError {
  const task = readTask(database, taskId);
  if (!task) return taskNotFound(taskId);
  if (task.attempt !== attempt)
    return new BgAgentError('EPOCH_STALE', `task ${taskId} is at attempt ${task.attempt}, not ${attempt}`);
  return new BgAgentError('TASK_ALREADY_TERMINAL', `task ${taskId} has ended as ${task.status}`);
}

export const taskNotFound = (taskId: string): BgAgentError =>
  new BgAgentError('TASK_NOT_FOUND', `no task ${taskId}`);

export const taskMoved = (task: Task): BgAgentError =>
  new BgAgentError('TASK_MOVED', `task ${task.task_id} is ${task.status} at attempt ${task.attempt}`);
