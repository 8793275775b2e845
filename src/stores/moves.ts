import { BgAgentError } from '../task/errors.ts';
import type { NewEvent } from '../task/events.ts';
import { isLegalMove, isTerminal, type TaskStatus, TERMINAL_EVENT } from '../task/status.ts';
import type { Task } from '../task/task.ts';
import type { TaskPatch } from './task-store.ts';

/** What every task store enforces, whatever it writes to. */

const TERMINAL_EVENTS: readonly string[] = Object.values(TERMINAL_EVENT);

export interface Move {
  from: TaskStatus | readonly TaskStatus[];
  to: TaskStatus;
  attempt?: number;
  patch?: TaskPatch;
}

/** The statuses from which the move may really start. Throws ILLEGAL_TRANSITION when there are none. */
export function legalOrigins({ from, to }: Move): TaskStatus[] {
  const wanted = typeof from === 'string' ? [from] : from;
  const legal = wanted.filter((status) => isLegalMove(status, to));
  if (legal.length === 0) throw illegalMove(wanted.join('|') || 'nothing', to);
  return legal;
}

const illegalMove = (from: string, to: string): BgAgentError =>
  new BgAgentError('ILLEGAL_TRANSITION', `no move from ${from} to ${to}`);

export const taskNotFound = (taskId: string): BgAgentError =>
  new BgAgentError('TASK_NOT_FOUND', `no task ${taskId}`);

export const taskMoved = (task: Task): BgAgentError =>
  new BgAgentError('TASK_MOVED', `task ${task.task_id} is ${task.status} at attempt ${task.attempt}`);

/** Why a move was refused, by what the task is now. */
export function whyNotMoved(task: Task, move: Pick<Move, 'from' | 'to'>): BgAgentError {
  const named = typeof move.from === 'string' ? [move.from] : move.from;
  const forbidden = named.includes(task.status) && !isLegalMove(task.status, move.to);
  return forbidden ? illegalMove(task.status, move.to) : taskMoved(task);
}

/** Why an attempt's word was refused: attempts only grow and ends are final, so a later look finds the reason too. */
export function whyNotCurrent(task: Task | undefined, taskId: string, attempt: number): BgAgentError {
  if (!task) return taskNotFound(taskId);
  if (task.attempt !== attempt)
    return new BgAgentError('EPOCH_STALE', `task ${taskId} is at attempt ${task.attempt}, not ${attempt}`);
  return new BgAgentError('TASK_ALREADY_TERMINAL', `task ${taskId} has ended as ${task.status}`);
}

/** The patch of a move with the times that belong to it. */
export function stampedPatch({ to, patch = {} }: Move, at: string): TaskPatch {
  if (to === 'QUEUED') return { ...patch, queued_at: patch.queued_at ?? at };
  if (isTerminal(to)) return { ...patch, completed_at: patch.completed_at ?? at };
  return patch;
}

/** Throws ILLEGAL_TRANSITION unless the one terminal event is there when, and only when, the task ends. */
export function checkTerminalEvents(to: TaskStatus | null, events: readonly NewEvent[]): void {
  const said = events.map(({ type }) => type).filter((type) => TERMINAL_EVENTS.includes(type));
  const due = to !== null && isTerminal(to) ? [TERMINAL_EVENT[to]] : [];
  if (said.join() !== due.join())
    throw new BgAgentError(
      'ILLEGAL_TRANSITION',
      `a write ${to === null ? 'without a move' : `to ${to}`} has the terminal events [${due}], not [${said}]`,
    );
}
