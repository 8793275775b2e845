import type { TaskStore } from '../task-store.ts';
import type { Dynamo } from './dynamo.ts';
import { removeExpiredLeases } from './leases.ts';
import { outcomePartition } from './outcomes.ts';
import { stateKey, taskGroup } from './parts.ts';
import { endedTasks } from './task-lists.ts';
import { type StoredTask, taskKey } from './task-records.ts';
import { idempotencyItemKey } from './tasks.ts';
import { type Item, text, textOf } from './values.ts';
import { wakeupKey } from './wakeups.ts';

/**
 * DynamoDB removes by itself what has outlived its time; this does the same where it doesn't (emulators), and tells which tasks
 * went, so that what is kept elsewhere can go, too.
 */
export const createSweep = (dynamo: Dynamo): Pick<TaskStore, 'sweep'> => ({
  async sweep(endedBefore, limit) {
    await removeExpiredLeases(dynamo, Date.parse(endedBefore), limit);
    const due = (await endedTasks(dynamo, endedBefore, limit)).slice(0, limit);
    for (const stored of due) await removeTask(dynamo, stored);
    return due.map(({ task }) => task.task_id);
  },
});

/** The task goes last: what was interrupted is done again. */
async function removeTask(dynamo: Dynamo, { task, idempotencyKey }: StoredTask): Promise<void> {
  const { task_id: taskId, user_id: userId } = task;
  const events = await dynamo.query({ table: 'events', partition: taskId });
  await dynamo.removeMany(
    'events',
    events.map((item) => ({ task_id: text(taskId), event_id: text(textOf(item, 'event_id') ?? '') })),
  );
  await dynamo.removeMany('state', [
    ...(await partsIn(dynamo, outcomesOf(taskId, task.attempt))),
    ...keysOf(await dynamo.query({ table: 'state', index: 'by_group', partition: taskGroup(taskId) })),
    wakeupKey(taskId),
    ...(idempotencyKey === null ? [] : [idempotencyItemKey(userId, idempotencyKey)]),
  ]);
  await dynamo.remove('tasks', taskKey(taskId));
}

const outcomesOf = (taskId: string, attempts: number): string[] =>
  Array.from({ length: attempts }, (_, n) => outcomePartition(taskId, n + 1));

async function partsIn(dynamo: Dynamo, partitions: readonly string[]): Promise<Item[]> {
  const items = await Promise.all(partitions.map((partition) => dynamo.query({ table: 'state', partition })));
  return keysOf(items.flat());
}

const keysOf = (items: readonly Item[]): Item[] =>
  items.map((item) => stateKey(textOf(item, 'pk') ?? '', textOf(item, 'sk') ?? ''));
