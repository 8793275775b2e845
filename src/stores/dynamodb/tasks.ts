import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { z } from 'zod';
import { BgAgentError } from '../../task/errors.ts';
import { checkTerminalEvents } from '../moves.ts';
import type { TaskStore } from '../task-store.ts';
import { ConditionFailed, succeeds } from './dynamo.ts';
import { createExpression } from './expression.ts';
import { expiryOfPart, type StoreParts, stateKey } from './parts.ts';
import { readTask, type StoredTask, toTaskItem } from './task-records.ts';
import { eventWrites, withEvents } from './task-writes.ts';
import { fromItem, text, toItem } from './values.ts';

type TaskRecords = Pick<TaskStore, 'create' | 'get' | 'findByIdempotencyKey'>;
interface Idempotency {
  key: string;
  bodyHash: string;
}

const keySchema = z.object({ body_hash: z.string(), task_id: z.string() });

export const idempotencyItemKey = (userId: string, key: string) => stateKey(`idempotency#${userId}`, key);

export function createTaskRecords(parts: StoreParts): TaskRecords {
  const { dynamo, now, retentionMs } = parts;
  const { names } = dynamo;

  const records: TaskRecords = {
    async create(task, events, idempotency) {
      checkTerminalEvents(null, events);
      const stored: StoredTask = {
        task,
        version: 1,
        lastEventId: '',
        reported: null,
        queueKey: null,
        slotShard: null,
        idempotencyKey: idempotency?.key ?? null,
      };
      const written = withEvents(stored, events, now);
      const writes: TransactWriteItem[] = [
        {
          Put: {
            TableName: names.tasks,
            Item: toTaskItem(written.after, retentionMs),
            ConditionExpression: 'attribute_not_exists(task_id)',
          },
        },
        ...(idempotency ? [keyWrite(task.user_id, task.task_id, idempotency)] : []),
        ...eventWrites(names.events, written.events, parts),
      ];
      try {
        await dynamo.transact(writes);
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        const earlier = idempotency && (await taskOfKey(task.user_id, idempotency));
        if (earlier) return { task: earlier.task, created: false };
        // The key belonged to a task that is gone, and is gone now, too.
        if (error.index > 0) return records.create(task, events, idempotency);
        throw new BgAgentError('DUPLICATE_TASK', `task ${task.task_id} exists already`);
      }
      if (events.length > 0) parts.readers.tell(task.task_id);
      return { task, created: true };
    },

    async get(taskId) {
      return (await readTask(dynamo, taskId))?.task;
    },

    async findByIdempotencyKey(userId, idempotency) {
      return (await taskOfKey(userId, idempotency))?.task;
    },
  };
  return records;

  function keyWrite(userId: string, taskId: string, { key, bodyHash }: Idempotency): TransactWriteItem {
    const Item = {
      ...idempotencyItemKey(userId, key),
      ...toItem({ body_hash: bodyHash, task_id: taskId }),
      ...expiryOfPart(parts),
    };
    return { Put: { TableName: names.state, Item, ConditionExpression: 'attribute_not_exists(pk)' } };
  }

  async function taskOfKey(userId: string, { key, bodyHash }: Idempotency): Promise<StoredTask | undefined> {
    const item = await dynamo.get('state', idempotencyItemKey(userId, key));
    if (!item) return undefined;
    const { body_hash, task_id } = fromItem(keySchema, item);
    const stored = await readTask(dynamo, task_id);
    if (!stored) {
      // The task's time was over first: its key goes with it.
      await dropKey(userId, key, task_id);
      return undefined;
    }
    if (body_hash !== bodyHash)
      throw new BgAgentError('DUPLICATE_TASK', 'the idempotency key was used before, with another request');
    return stored;
  }

  async function dropKey(userId: string, key: string, taskId: string): Promise<void> {
    const { name, value, parts: places } = createExpression();
    const ConditionExpression = `${name('task_id')} = ${value(text(taskId))}`;
    // Somebody else's by now: then it stays.
    await succeeds(
      dynamo.remove('state', idempotencyItemKey(userId, key), { ConditionExpression, ...places() }),
    );
  }
}
