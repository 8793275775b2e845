import { isTerminal } from '../../task/status.ts';
import { type Task, taskSchema } from '../../task/task.ts';
import type { Dynamo } from './dynamo.ts';
import { expiry } from './parts.ts';
import { shardOf } from './shards.ts';
import { fromItem, type Item, number, numberOf, text, textOf, toItem } from './values.ts';

/** A task with what the stores note beside it. Every write raises the version, so that whoever read before finds out. */
export interface StoredTask {
  task: Task;
  version: number;
  /** '' before the first event. */
  lastEventId: string;
  /** How far the runner's numbers have come, of which attempt. */
  reported: { attempt: number; seq: number } | null;
  /** `<queued_at> <task id>` while it waits in the queue. */
  queueKey: string | null;
  /** Which part of the system's slots it holds one of. */
  slotShard: number | null;
  /** By which it was made. */
  idempotencyKey: string | null;
}

export const taskKey = (taskId: string): Item => ({ task_id: text(taskId) });

export const statusShards = (status: string, shard: number): string => `${status}#${shard}`;
/** A user's tasks in a status, or on a repository. Ids of users hold no control characters, so the two can't run together. */
export const ofUser = (userId: string, what: string): string => `${userId}\u0000${what}`;

export async function readTask(dynamo: Dynamo, taskId: string): Promise<StoredTask | undefined> {
  const item = await dynamo.get('tasks', taskKey(taskId));
  return item && fromTaskItem(item);
}

export function fromTaskItem(item: Item): StoredTask {
  const attempt = numberOf(item, '_reported_attempt');
  const seq = numberOf(item, '_reported_seq');
  return {
    task: fromItem(taskSchema, item),
    version: numberOf(item, '_version') ?? 0,
    lastEventId: textOf(item, '_last_event_id') ?? '',
    reported: attempt === undefined || seq === undefined ? null : { attempt, seq },
    queueKey: textOf(item, '_queue_key') ?? null,
    slotShard: numberOf(item, '_slot_shard') ?? null,
    idempotencyKey: textOf(item, '_idempotency_key') ?? null,
  };
}

export function toTaskItem(stored: StoredTask, retentionMs: number): Item {
  const { task, reported, queueKey, slotShard, lastEventId, idempotencyKey } = stored;
  const shard = shardOf('tasks', task.task_id);
  return {
    ...toItem(task),
    _version: number(stored.version),
    ...(lastEventId && { _last_event_id: text(lastEventId) }),
    ...(reported && { _reported_attempt: number(reported.attempt), _reported_seq: number(reported.seq) }),
    ...(queueKey !== null && { _queue_key: text(queueKey) }),
    ...(slotShard !== null && { _slot_shard: number(slotShard) }),
    ...(idempotencyKey !== null && { _idempotency_key: text(idempotencyKey) }),
    _shard: text(String(shard)),
    _status_shard: text(statusShards(task.status, shard)),
    _user_status: text(ofUser(task.user_id, task.status)),
    _user_repo: text(ofUser(task.user_id, task.repo)),
    ...(isTerminal(task.status) &&
      task.completed_at !== null &&
      expiry(Date.parse(task.completed_at) + retentionMs)),
  };
}
