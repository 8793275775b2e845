import type { Stores } from '../stores/stores.ts';
import type { TaskStatus } from '../task/status.ts';
import type { Task } from '../task/task.ts';

/** Statuses of tasks that an execution should be driving. */
const UNDER_WAY: readonly TaskStatus[] = [
  'SUBMITTED',
  'QUEUED',
  'HYDRATING',
  'RUNNING',
  'AWAITING_APPROVAL',
  'FINALIZING',
];
const BATCH = 500;

/** Every task that is under way, oldest first, read in batches. */
export const tasksUnderWay = (stores: Pick<Stores, 'tasks'>): AsyncGenerator<Task> =>
  tasksIn(stores, UNDER_WAY);

/** Every task in one of these statuses, oldest first, read in batches. */
export async function* tasksIn(
  { tasks }: Pick<Stores, 'tasks'>,
  statuses: readonly TaskStatus[],
): AsyncGenerator<Task> {
  let after: string | undefined;
  for (;;) {
    const batch = await tasks.listByStatus(statuses, BATCH, after);
    yield* batch;
    after = batch.at(-1)?.task_id;
    if (batch.length < BATCH) return;
  }
}
