import { isTerminal, LIVE_STATUSES } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';
import {
  checkTerminalEvents,
  legalOrigins,
  stampedPatch,
  taskMoved,
  taskNotFound,
  whyNotMoved,
} from '../moves.ts';
import type { TaskPatch, TaskStore } from '../task-store.ts';
import { ConditionFailed } from './dynamo.ts';
import { createExpression } from './expression.ts';
import type { StoreParts } from './parts.ts';
import { fromTaskItem, readTask, taskKey } from './task-records.ts';
import { changed, changeTask, withEvents } from './task-writes.ts';
import { number, text, toItem } from './values.ts';

type TaskMoves = Pick<TaskStore, 'transition' | 'update'>;
type When = NonNullable<Parameters<TaskStore['update']>[1]['when']>;

export function createTaskMoves(parts: StoreParts): TaskMoves {
  const { dynamo, now } = parts;
  const iso = (): string => new Date(now()).toISOString();

  return {
    async transition(taskId, move, events) {
      const origins = legalOrigins(move);
      checkTerminalEvents(move.to, events);
      const at = iso();
      const moved = await changeTask(parts, taskId, (before) => {
        const { task } = before;
        if (!origins.includes(task.status) || (move.attempt !== undefined && move.attempt !== task.attempt))
          throw whyNotMoved(task, move);
        const after = changed(before, {
          patch: stampedPatch(move, at),
          to: move.to,
          at,
          random: dynamo.random,
        });
        return withEvents(after, events, now);
      });
      return moved.task;
    },

    async update(taskId, { when = {}, patch }, events = []) {
      checkTerminalEvents(null, events);
      if (events.length === 0 && isPlain(patch)) return patchBlindly(taskId, when, patch);
      const at = iso();
      const updated = await changeTask(parts, taskId, (before) => {
        if (!holds(before.task, when)) throw taskMoved(before.task);
        return withEvents(changed(before, { patch, at, random: dynamo.random }), events, now);
      });
      return updated.task;
    },
  };

  /** One write without a read before it, as heartbeats are. */
  async function patchBlindly(taskId: string, when: When, patch: TaskPatch): Promise<Task> {
    const { name, value, oneOf, parts: places } = createExpression();
    const fields = Object.entries(toItem({ ...patch, updated_at: iso() }));
    const sets = fields.map(([field, attribute]) => `${name(field)} = ${value(attribute)}`);
    const update = `SET ${sets.join(', ')} ADD ${name('_version')} ${value(number(1))}`;
    // A task that isn't there has no status.
    const conditions = [oneOf('status', (when.statuses ?? LIVE_STATUSES).map(text))];
    if (when.attempt !== undefined) conditions.push(`${name('attempt')} = ${value(number(when.attempt))}`);
    if (when.cancelRequested !== undefined)
      conditions.push(
        `${when.cancelRequested ? 'NOT ' : ''}attribute_type(${name('cancel_requested_at')}, ${value(text('NULL'))})`,
      );
    try {
      const item = await dynamo.update('tasks', taskKey(taskId), {
        UpdateExpression: update,
        ConditionExpression: conditions.join(' AND '),
        ...places(),
      });
      return fromTaskItem(item).task;
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error;
      const stored = error.item ? fromTaskItem(error.item) : await readTask(dynamo, taskId);
      throw stored ? taskMoved(stored.task) : taskNotFound(taskId);
    }
  }
}

/** Touches nothing that an index, the queue or the time of its removal is made of. */
const isPlain = ({ cancel_requested_at, repo, completed_at }: TaskPatch): boolean =>
  cancel_requested_at === undefined && repo === undefined && completed_at === undefined;

function holds(task: Task, { statuses, attempt, cancelRequested }: When): boolean {
  if (statuses ? !statuses.includes(task.status) : isTerminal(task.status)) return false;
  if (attempt !== undefined && attempt !== task.attempt) return false;
  return cancelRequested === undefined || cancelRequested === (task.cancel_requested_at !== null);
}
