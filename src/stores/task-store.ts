import type { NewEvent } from '../task/events.ts';
import type { Page } from '../task/page.ts';
import type { TaskStatus } from '../task/status.ts';
import type { Task } from '../task/task.ts';

/** Fields a caller may change beside a move; status, ids and updated_at are the store's. */
export type TaskPatch = Partial<Omit<Task, 'task_id' | 'user_id' | 'status' | 'created_at' | 'updated_at'>>;

/** Records of tasks, their moves, and who may have a slot. */
export interface TaskStore {
  /**
   * Writes the task and its first events in one transaction. With an idempotency key of this user that was used before:
   * the same body hash returns the stored task with `created: false`, another hash throws DUPLICATE_TASK.
   */
  create(
    task: Task,
    events: NewEvent[],
    idempotency?: { key: string; bodyHash: string },
  ): Promise<{ task: Task; created: boolean }>;

  get(taskId: string): Promise<Task | undefined>;

  /**
   * The task that this user's idempotency key made, by the same rule as `create`: another body hash throws DUPLICATE_TASK.
   * For whoever wants to know before the work that leads to `create`; that one decides.
   */
  findByIdempotencyKey(
    userId: string,
    idempotency: { key: string; bodyHash: string },
  ): Promise<Task | undefined>;

  /** Newest first, by task id. Throws VALIDATION_ERROR for a `nextToken` that isn't of this list. */
  list(query: {
    userId?: string | undefined;
    statuses?: readonly TaskStatus[] | undefined;
    repo?: string | undefined;
    limit: number;
    nextToken?: string | undefined;
  }): Promise<Page<Task>>;

  /**
   * Tasks in any of these statuses, oldest first, all users: for reconcilers. `after`: the last task id of the batch before.
   * Reads by index, never a scan.
   */
  listByStatus(statuses: readonly TaskStatus[], limit: number, after?: string): Promise<Task[]>;

  /**
   * One conditional write of status, patch, events and the concurrency slot: a task holds one while its status is active.
   * `queued_at` (a move to QUEUED) and `completed_at` (a terminal one) are now unless the patch says otherwise.
   * Throws TASK_MOVED when the status is none of `from` (or `attempt` is not the current one), ILLEGAL_TRANSITION when the table
   * forbids it or the events contradict it: a terminal move has exactly its one terminal event, any other write has none.
   */
  transition(
    taskId: string,
    move: { from: TaskStatus | readonly TaskStatus[]; to: TaskStatus; attempt?: number; patch?: TaskPatch },
    events: NewEvent[],
  ): Promise<Task>;

  /**
   * Patch and events without a move. Throws TASK_MOVED when `when` doesn't hold (terminal tasks never change unless named).
   * `cancelRequested: false`: nobody asked for the end of the task yet, so that the request and its event are written once.
   */
  update(
    taskId: string,
    change: {
      when?: { statuses?: readonly TaskStatus[]; attempt?: number; cancelRequested?: boolean };
      patch: TaskPatch;
    },
    events?: NewEvent[],
  ): Promise<Task>;

  /**
   * Takes the user's slot and moves SUBMITTED|QUEUED to HYDRATING in one write (through SUBMITTED from QUEUED), if there is room
   * once the older queued tasks that could run are in (FIFO; a task whose user is at the limit holds nobody up).
   * Taking twice is harmless. Throws TASK_MOVED when the task is no candidate any more.
   */
  admit(
    taskId: string,
    limits: { perUser: number; system: number; attempt: number },
    patch: TaskPatch,
    events: NewEvent[],
  ): Promise<{ kind: 'admitted'; task: Task } | { kind: 'full'; reason: string }>;

  /** Queued tasks that `admit` would let in now, in whatever order they ask; oldest first: whom to wake when a slot is freed. */
  admissible(limits: { perUser: number; system: number }, limit: number): Promise<string[]>;

  /** Task ids that hold a slot, by user. */
  slots(): Promise<{ userId: string; taskId: string }[]>;

  /** Gives a slot back that belongs to no live task; a live task's slot is left alone. */
  releaseStaleSlot(userId: string, taskId: string): Promise<boolean>;

  /** How many queued tasks are before this one (0 = next), or null when it isn't queued. */
  queuePosition(taskId: string): Promise<number | null>;

  /** How many of these are tasks of the same user: what the task waits for when only its user is at the limit. */
  ownQueuePosition(taskId: string): Promise<number | null>;

  /**
   * Removes tasks that ended before `endedBefore` (ISO 8601) with all that the stores keep of them, and records of leases that
   * expired before it; at most `limit` of each. Returns the task ids.
   */
  sweep(endedBefore: string, limit: number): Promise<string[]>;
}
