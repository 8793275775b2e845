import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { BgAgentError } from '../../task/errors.ts';
import type { NewEvent, TaskEvent } from '../../task/events.ts';
import { createIdSource } from '../../task/ids.ts';
import { isTerminal, type TaskStatus } from '../../task/status.ts';
import { taskNotFound } from '../moves.ts';
import type { TaskPatch } from '../task-store.ts';
import { ConditionFailed } from './dynamo.ts';
import { createExpression } from './expression.ts';
import { expiryOfPart, type StoreParts } from './parts.ts';
import { placeWrites } from './places.ts';
import { SHARDS } from './shards.ts';
import { readTask, type StoredTask, toTaskItem } from './task-records.ts';
import { number, toItem } from './values.ts';

/** How often a write is tried again because others were faster: each time one of them got further. */
const TRIES = 100;

/** What is to be written of a task, all of it or nothing. */
export interface TaskChange {
  after: StoredTask;
  events: TaskEvent[];
  /** Limits for a slot that is taken; without them it is taken whether there is room or not. */
  limits?: { perUser: number; system: number };
  /** Further writes of the same transaction. */
  also?: TransactWriteItem[];
}

/**
 * Reads the task, asks what to write, and writes it in one transaction if the task is still as it was read; else again from the
 * start. `decide` throws to refuse, and returns null when there is nothing to write.
 */
export async function changeTask(
  parts: StoreParts,
  taskId: string,
  decide: (stored: StoredTask) => Promise<TaskChange | null> | TaskChange | null,
): Promise<StoredTask> {
  for (let tries = 1; tries <= TRIES; tries += 1) {
    const before = await readTask(parts.dynamo, taskId);
    if (!before) throw taskNotFound(taskId);
    const change = await decide(before);
    if (!change) return before;
    try {
      await parts.dynamo.transact(writesOf(parts, before, change));
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error;
      await parts.dynamo.pause(Math.min(tries, 3));
      continue;
    }
    if (change.events.length > 0) parts.readers.tell(taskId);
    return change.after;
  }
  throw new BgAgentError('SERVICE_UNAVAILABLE', `task ${taskId} is changed by too many at once`);
}

function writesOf(
  { dynamo: { names }, now, retentionMs }: StoreParts,
  before: StoredTask,
  { after, events, limits, also = [] }: TaskChange,
): TransactWriteItem[] {
  const { name, value, parts } = createExpression();
  return [
    {
      Put: {
        TableName: names.tasks,
        Item: toTaskItem({ ...after, version: before.version + 1 }, retentionMs),
        ConditionExpression: `${name('_version')} = ${value(number(before.version))}`,
        ...parts(),
      },
    },
    ...placeWrites(names.state, before, after, limits),
    ...also,
    ...eventWrites(names.events, events, { now, retentionMs }),
  ];
}

export const eventWrites = (
  TableName: string,
  events: readonly TaskEvent[],
  kept: Pick<StoreParts, 'now' | 'retentionMs'>,
): TransactWriteItem[] =>
  events.map((event) => ({ Put: { TableName, Item: { ...toItem(event), ...expiryOfPart(kept) } } }));

/** The task as a patch and a move leave it. `at`: ISO 8601. */
export function changed(
  before: StoredTask,
  { patch, to, at, random }: { patch: TaskPatch; to?: TaskStatus; at: string; random(): number },
): StoredTask {
  const fields = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
  const task = { ...before.task, ...fields, ...(to && { status: to }), updated_at: at };
  return { ...before, task, queueKey: queueKey(), slotShard: slotShard() };

  function queueKey(): string | null {
    if (to === 'QUEUED')
      return before.task.cancel_requested_at === null ? `${patch.queued_at ?? at} ${task.task_id}` : null;
    return to || patch.cancel_requested_at ? null : before.queueKey;
  }
  function slotShard(): number | null {
    if (to === 'HYDRATING') return before.slotShard ?? Math.floor(random() * SHARDS.slots);
    return to && isTerminal(to) ? null : before.slotShard;
  }
}

/** Gives events their ids, which come after all that the task has, and notes the last one on the task. */
export function withEvents(
  stored: StoredTask,
  events: readonly (NewEvent & { timestamp?: string })[],
  now: () => number,
): { after: StoredTask; events: TaskEvent[] } {
  const { task_id, user_id, repo } = stored.task;
  const newId = createIdSource(now, stored.lastEventId);
  const timestamp = new Date(now()).toISOString();
  const written = events.map(({ type, metadata, ...event }) => ({
    event_id: newId(),
    task_id,
    event_type: type,
    timestamp,
    metadata,
    user_id,
    repo,
    ...event,
  }));
  return {
    after: { ...stored, lastEventId: written.at(-1)?.event_id ?? stored.lastEventId },
    events: written,
  };
}
