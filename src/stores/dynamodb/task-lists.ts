import { isTerminal, TASK_STATUSES, type TaskStatus, TERMINAL_STATUSES } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';
import { pagePosition, pageToken, toPage } from '../page-token.ts';
import type { TaskStore } from '../task-store.ts';
import type { Dynamo } from './dynamo.ts';
import { shardsOf } from './shards.ts';
import { fromTaskItem, ofUser, type StoredTask, statusShards, taskKey } from './task-records.ts';
import { textOf } from './values.ts';

/** More than any task id. */
const NEWEST = '~';
/** Read at once where an index doesn't know the whole condition. */
const BATCH = 50;

interface Place {
  index: 'all' | 'by_status' | 'by_user' | 'by_user_status' | 'by_repo' | 'by_user_repo';
  partition: string;
}
type Filter = Pick<Parameters<TaskStore['list']>[0], 'userId' | 'statuses' | 'repo'>;

/**
 * Lists find ids by index and read the records from the table, so a record is never older than the last write; an id may be missing
 * for the moment that an index lags behind, and what no longer fits is left out.
 */
export function createTaskLists(dynamo: Dynamo): Pick<TaskStore, 'list' | 'listByStatus'> {
  return {
    async list({ limit, nextToken, ...filter }) {
      let before = pagePosition('tasks', nextToken, NEWEST);
      const found: Task[] = [];
      for (;;) {
        const want = Math.max(limit + 1 - found.length, filter.repo === undefined ? 1 : BATCH);
        const ids = await idsIn(dynamo, placesOf(filter), { before }, want);
        const stored = await readAll(dynamo, ids);
        found.push(...stored.map(({ task }) => task).filter((task) => fits(task, filter)));
        before = ids.at(-1) ?? before;
        if (found.length > limit || ids.length < want) break;
      }
      return toPage(found, limit, (last) => pageToken('tasks', last.task_id));
    },

    async listByStatus(statuses, limit, after = '') {
      const found: Task[] = [];
      for (let position = after; found.length < limit; ) {
        const want = limit - found.length;
        const ids = await idsIn(dynamo, placesOf({ statuses }), { after: position }, want);
        const stored = await readAll(dynamo, ids);
        found.push(...stored.map(({ task }) => task).filter((task) => statuses.includes(task.status)));
        position = ids.at(-1) ?? position;
        if (ids.length < want) break;
      }
      return found;
    },
  };
}

/** At least `limit` tasks that ended before (ISO 8601), when there are so many; the longest ended first. */
export async function endedTasks(dynamo: Dynamo, before: string, limit: number): Promise<StoredTask[]> {
  const found: StoredTask[] = [];
  for (let after = ''; found.length < limit; ) {
    const want = Math.max(limit, BATCH);
    const ids = await idsIn(dynamo, placesOf({ statuses: TERMINAL_STATUSES }), { after }, want);
    const stored = await readAll(dynamo, ids);
    found.push(
      ...stored.filter(
        ({ task }) => isTerminal(task.status) && task.completed_at !== null && task.completed_at < before,
      ),
    );
    // Nothing ends before it is made: what comes now was made too late.
    const last = stored.at(-1);
    if (ids.length < want || !last || last.task.created_at >= before) break;
    after = last.task.task_id;
  }
  return found.sort((a, b) => ((a.task.completed_at ?? '') < (b.task.completed_at ?? '') ? -1 : 1));
}

/** Where the tasks are that may fit, in an order by id; together they have no task twice. */
function placesOf({ userId, statuses, repo }: Filter): Place[] {
  if (statuses?.length === 0) return [];
  if (repo !== undefined && userId !== undefined)
    return [{ index: 'by_user_repo', partition: ofUser(userId, repo) }];
  if (repo !== undefined) return [{ index: 'by_repo', partition: repo }];
  const wanted = [...new Set<TaskStatus>(statuses ?? TASK_STATUSES)];
  if (userId !== undefined && statuses === undefined) return [{ index: 'by_user', partition: userId }];
  if (userId !== undefined)
    return wanted.map((status) => ({ index: 'by_user_status', partition: ofUser(userId, status) }));
  if (statuses === undefined)
    return shardsOf('tasks').map((shard) => ({ index: 'all', partition: String(shard) }));
  return wanted.flatMap((status) =>
    shardsOf('tasks').map((shard) => ({
      index: 'by_status' as const,
      partition: statusShards(status, shard),
    })),
  );
}

const fits = (task: Task, { userId, statuses, repo }: Filter): boolean =>
  (userId === undefined || task.user_id === userId) &&
  (repo === undefined || task.repo === repo) &&
  (statuses === undefined || statuses.includes(task.status));

/** The first ids after (or the last before) a position, of several places merged. */
async function idsIn(
  dynamo: Dynamo,
  places: readonly Place[],
  range: { after: string } | { before: string },
  limit: number,
): Promise<string[]> {
  const descending = 'before' in range;
  const each = await Promise.all(
    places.map((place) => dynamo.query({ table: 'tasks', ...place, range, descending, limit })),
  );
  // An index that lags may have a task in two places.
  const ids = [...new Set(each.flat().map((item) => textOf(item, 'task_id') ?? ''))].sort();
  return (descending ? ids.reverse() : ids).slice(0, limit);
}

/** In the order of the ids. */
async function readAll(dynamo: Dynamo, ids: readonly string[]): Promise<StoredTask[]> {
  const items = await dynamo.getMany('tasks', ids.map(taskKey));
  const byId = new Map(items.map((item) => [textOf(item, 'task_id') ?? '', item]));
  return ids.flatMap((id) => {
    const item = byId.get(id);
    return item ? [fromTaskItem(item)] : [];
  });
}
