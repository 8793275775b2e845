import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { createExpression, type Expression } from './expression.ts';
import { stateKey } from './parts.ts';
import { SHARDS, shardOf } from './shards.ts';
import type { StoredTask } from './task-records.ts';
import { number, texts } from './values.ts';

/**
 * Who has a slot and who waits for one. A user's record has the set of task ids that hold one (absent = none) and how much the user
 * has in the queue; the system's slots are as many sets, each with a share of the limit. All change in the transaction of the
 * task they are about.
 */

/** A user's record lies in a partition with others', so that who waits can be read at once, strongly consistent. */
export const usersPartition = (shard: number): string => `users#${shard}`;
export const userKey = (userId: string) => stateKey(usersPartition(shardOf('users', userId)), userId);
export const slotsKey = (shard: number) => stateKey(`slots#${shard}`);
/** A user's part of the queue, in its order. */
export const queuePartition = (userId: string): string => `queue#${userId}`;
/** The whole queue in its order, to count who comes before; spread. */
export const orderPartition = (shard: number): string => `queue-order#${shard}`;

/** How many of the system's slots are in this shard. */
export const capacityOf = (shard: number, system: number): number =>
  Math.floor(system / SHARDS.slots) + (shard < system % SHARDS.slots ? 1 : 0);

/**
 * What a change of a task means for its user's and the system's places. With `limits` a slot is taken only if there is room:
 * else the transaction's condition fails.
 */
export function placeWrites(
  table: string,
  before: StoredTask,
  after: StoredTask,
  limits?: { perUser: number; system: number },
): TransactWriteItem[] {
  const { task_id: taskId, user_id: userId } = after.task;
  const writes: TransactWriteItem[] = [];
  const leaves = before.queueKey !== null && before.queueKey !== after.queueKey ? before.queueKey : null;
  const enters = after.queueKey !== null && before.queueKey !== after.queueKey ? after.queueKey : null;
  const takes = before.slotShard === null ? after.slotShard : null;
  const gives = after.slotShard === null ? before.slotShard : null;

  const entry = (key: string) => [
    stateKey(queuePartition(userId), key),
    stateKey(orderPartition(shardOf('queue', taskId)), key),
  ];
  for (const Key of leaves === null ? [] : entry(leaves)) writes.push({ Delete: { TableName: table, Key } });
  for (const Item of enters === null ? [] : entry(enters)) writes.push({ Put: { TableName: table, Item } });

  const waiting = (enters === null ? 0 : 1) - (leaves === null ? 0 : 1);
  if (waiting !== 0 || takes !== null || gives !== null) {
    const slot = takes !== null ? 'take' : gives !== null ? 'give' : 'leave';
    writes.push(heldWrite(table, userKey(userId), taskId, { slot, waiting, most: limits?.perUser }));
  }
  if (takes !== null) {
    const most = limits && capacityOf(takes, limits.system);
    writes.push(heldWrite(table, slotsKey(takes), taskId, { slot: 'take', waiting: 0, most }));
  }
  if (gives !== null)
    writes.push(heldWrite(table, slotsKey(gives), taskId, { slot: 'give', waiting: 0, most: undefined }));
  return writes;
}

function heldWrite(
  TableName: string,
  Key: ReturnType<typeof stateKey>,
  taskId: string,
  { slot, waiting, most }: { slot: 'take' | 'give' | 'leave'; waiting: number; most: number | undefined },
): TransactWriteItem {
  const { name, value, parts } = createExpression();
  const adds = waiting === 0 ? [] : [`${name('waiting')} ${value(number(waiting))}`];
  if (slot === 'take') adds.push(`${name('held')} ${value(texts(taskId))}`);
  const update = adds.length > 0 ? [`ADD ${adds.join(', ')}`] : [];
  if (slot === 'give') update.push(`DELETE ${name('held')} ${value(texts(taskId))}`);
  return {
    Update: {
      TableName,
      Key,
      UpdateExpression: update.join(' '),
      ...(slot === 'take' && most !== undefined && { ConditionExpression: hasRoom(most, { name, value }) }),
      ...parts(),
    },
  };
}

/** Absent is empty, which is room unless there is none at all. */
function hasRoom(most: number, { name, value }: Pick<Expression, 'name' | 'value'>): string {
  const smaller = `size(${name('held')}) < ${value(number(most))}`;
  return most > 0 ? `attribute_not_exists(${name('held')}) OR ${smaller}` : smaller;
}
