import { ACTIVE_STATUSES, isTerminal } from '../../task/status.ts';
import { taskMoved } from '../moves.ts';
import type { TaskStore } from '../task-store.ts';
import { succeeds } from './dynamo.ts';
import { createExpression } from './expression.ts';
import type { StoreParts } from './parts.ts';
import { capacityOf, orderPartition, queuePartition, slotsKey, userKey, usersPartition } from './places.ts';
import { END, letIn, taskIdOfQueueKey, type Waiting } from './queue.ts';
import { shardsOf } from './shards.ts';
import { readTask, type StoredTask, taskKey } from './task-records.ts';
import { changed, changeTask, type TaskChange, withEvents } from './task-writes.ts';
import { type Item, number, numberOf, text, textOf, texts, textsOf } from './values.ts';

interface Limits {
  perUser: number;
  system: number;
}

/** What admissions are decided by, strongly consistent. The transaction's own conditions hold the limits, whatever was read. */
interface Occupancy {
  /** Active tasks by user, of those that have a record. */
  held: Map<string, string[]>;
  /** Users with something in the queue. */
  waiting: string[];
  /** By shard. */
  system: number[];
  used: number;
}

type Admission = Pick<
  TaskStore,
  'admit' | 'admissible' | 'slots' | 'releaseStaleSlot' | 'queuePosition' | 'ownQueuePosition'
>;

export function createAdmission(parts: StoreParts): Admission {
  const { dynamo, now } = parts;
  const { names } = dynamo;

  return {
    async admit(taskId, { perUser, system, attempt }, patch, events) {
      let full: string | undefined;
      const decide = async (before: StoredTask): Promise<TaskChange | null> => {
        full = undefined;
        const { task } = before;
        if (task.attempt !== attempt) throw taskMoved(task);
        if (ACTIVE_STATUSES.some((status) => status === task.status)) return null;
        if (task.status !== 'SUBMITTED' && task.status !== 'QUEUED') throw taskMoved(task);
        const occupancy = await readOccupancy();
        full = await whyFull(before, occupancy, { perUser, system });
        if (full !== undefined) return null;
        const after = changed(before, {
          patch,
          to: 'HYDRATING',
          at: new Date(now()).toISOString(),
          random: dynamo.random,
        });
        after.slotShard = shardWithRoom(occupancy, system);
        return { ...withEvents(after, events, now), limits: { perUser, system } };
      };
      for (;;) {
        const stored = await changeTask(parts, taskId, decide);
        if (full === undefined) return { kind: 'admitted', task: stored.task };
        // The slot in the way may be the task's own, when it was admitted after it was read.
        const latest = await readTask(dynamo, taskId);
        if (latest?.version === stored.version) return { kind: 'full', reason: full };
      }
    },

    async admissible({ perUser, system }, limit) {
      const occupancy = await readOccupancy();
      const room = system - occupancy.used;
      const waiting = await queueOf(occupancy, perUser, room);
      return letIn(waiting, Math.min(room, limit)).map(taskIdOfQueueKey);
    },

    async slots() {
      const { users, held } = await readShards();
      await Promise.all(users.filter(isIdle).map(forgetUser));
      return [...held]
        .flatMap(([userId, taskIds]) => taskIds.map((taskId) => ({ userId, taskId })))
        .sort((a, b) => (a.userId === b.userId ? order(a.taskId, b.taskId) : order(a.userId, b.userId)));
    },

    async releaseStaleSlot(userId, taskId) {
      const stored = await readTask(dynamo, taskId);
      if (stored && !isTerminal(stored.task.status)) return false;
      const { held, system } = await readShards();
      if (!(held.get(userId) ?? []).includes(taskId)) return false;
      const shard = system.findIndex((taskIds) => taskIds.includes(taskId));
      return succeeds(
        dynamo.transact([
          stillNotLive(taskId, stored),
          dropWrite(userKey(userId), taskId),
          ...(shard < 0 ? [] : [dropWrite(slotsKey(shard), taskId)]),
        ]),
      );
    },

    async queuePosition(taskId) {
      const before = (await readTask(dynamo, taskId))?.queueKey;
      if (before === undefined || before === null) return null;
      const counts = await Promise.all(
        shardsOf('queue').map((shard) =>
          dynamo.count({ table: 'state', partition: orderPartition(shard), range: { before } }),
        ),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    },

    async ownQueuePosition(taskId) {
      const stored = await readTask(dynamo, taskId);
      if (!stored || stored.queueKey === null) return null;
      const partition = queuePartition(stored.task.user_id);
      return dynamo.count({ table: 'state', partition, range: { before: stored.queueKey } });
    },
  };

  /** Each admission reads the records of all users, so those that say nothing go; one comes back with the next task. */
  async function forgetUser(item: Item): Promise<void> {
    const { name, value, parts: places } = createExpression();
    const nothing = `attribute_not_exists(${name('held')}) AND (attribute_not_exists(${name('waiting')}) OR ${name('waiting')} = ${value(number(0))})`;
    await succeeds(
      dynamo.remove('state', userKey(textOf(item, 'sk') ?? ''), {
        ConditionExpression: nothing,
        ...places(),
      }),
    );
  }

  async function readShards() {
    const [users, slots] = await Promise.all([
      Promise.all(
        shardsOf('users').map((shard) => dynamo.query({ table: 'state', partition: usersPartition(shard) })),
      ),
      dynamo.getMany('state', shardsOf('slots').map(slotsKey)),
    ]);
    const byShard = new Map(slots.map((item) => [textOf(item, 'pk'), textsOf(item, 'held')]));
    return {
      users: users.flat(),
      held: new Map(users.flat().map((item) => [textOf(item, 'sk') ?? '', textsOf(item, 'held')])),
      system: shardsOf('slots').map((shard) => byShard.get(slotsKey(shard).pk?.S) ?? []),
    };
  }

  async function readOccupancy(): Promise<Occupancy> {
    const { users, held, system } = await readShards();
    return {
      held,
      waiting: users
        .filter((item) => (numberOf(item, 'waiting') ?? 0) > 0)
        .map((item) => textOf(item, 'sk') ?? ''),
      system: system.map(({ length }) => length),
      used: system.reduce((sum, { length }) => sum + length, 0),
    };
  }

  /** The first in the queue of each user who has room: no more of them than there is room for. */
  function queueOf({ held, waiting }: Occupancy, perUser: number, room: number): Promise<Waiting[]> {
    const candidates = waiting
      .map((userId) => ({ userId, free: perUser - (held.get(userId) ?? []).length }))
      .filter(({ free }) => free > 0 && room > 0);
    return Promise.all(
      candidates.map(async ({ userId, free }) => {
        const limit = Math.min(free, room);
        const items = await dynamo.query({ table: 'state', partition: queuePartition(userId), limit });
        return { userId, free, keys: items.map((item) => textOf(item, 'sk') ?? '') };
      }),
    );
  }

  /** Why the task gets no slot now; undefined when it does. */
  async function whyFull(
    { task, queueKey }: StoredTask,
    occupancy: Occupancy,
    { perUser, system }: Limits,
  ): Promise<string | undefined> {
    const held = (occupancy.held.get(task.user_id) ?? []).length;
    if (held >= perUser) return `${held} of ${perUser} tasks of the user are active`;
    if (occupancy.used >= system) return `${occupancy.used} of ${system} tasks of the system are active`;
    // One that is not in the queue yet would come last.
    const place = queueKey ?? END;
    const room = system - occupancy.used;
    const waiting = await queueOf(occupancy, perUser, room);
    const ownBefore = waiting.find(({ userId }) => userId === task.user_id)?.keys ?? [];
    const behindOwn = held + ownBefore.filter((key) => key < place).length >= perUser;
    if (behindOwn || letIn(waiting, room, place).length >= room) return 'older tasks of the queue come first';
    return undefined;
  }

  /** One of those with room, at random, so that those who come together don't meet. */
  function shardWithRoom({ system: used }: Occupancy, system: number): number {
    const free = shardsOf('slots').filter((shard) => (used[shard] ?? 0) < capacityOf(shard, system));
    return free[Math.floor(dynamo.random() * free.length)] ?? 0;
  }

  function stillNotLive(taskId: string, stored: StoredTask | undefined) {
    const { name, value, parts: places } = createExpression();
    const ConditionExpression = stored
      ? `${name('status')} = ${value(text(stored.task.status))}`
      : `attribute_not_exists(${name('task_id')})`;
    return {
      ConditionCheck: { TableName: names.tasks, Key: taskKey(taskId), ConditionExpression, ...places() },
    };
  }

  function dropWrite(Key: ReturnType<typeof userKey>, taskId: string) {
    const { name, value, parts: places } = createExpression();
    return {
      Update: {
        TableName: names.state,
        Key,
        UpdateExpression: `DELETE ${name('held')} ${value(texts(taskId))}`,
        ConditionExpression: `contains(${name('held')}, ${value(text(taskId))})`,
        ...places(),
      },
    };
  }
}

const isIdle = (item: Item): boolean =>
  textsOf(item, 'held').length === 0 && (numberOf(item, 'waiting') ?? 0) === 0;

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
