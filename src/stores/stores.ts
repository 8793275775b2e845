import { z } from 'zod';
import type { NewEvent, TaskEvent } from '../task/events.ts';
import type { OutcomeReport } from '../task/protocol.ts';
import type { RepoConfig } from '../task/repo.ts';
import { API_KEY_SCOPES } from '../task/scopes.ts';
import type { TaskStatus } from '../task/status.ts';
import type { Task } from '../task/task.ts';

/** The state ports. `sqlite` and `dynamodb` implement them; each has one contract suite in test/contracts/. */

export interface Page<T> {
  items: T[];
  /** Opaque; null when there is no more. */
  nextToken: string | null;
}

/** Fields a caller may change beside a move; status, ids and updated_at are the store's. */
export type TaskPatch = Partial<Omit<Task, 'task_id' | 'user_id' | 'status' | 'created_at' | 'updated_at'>>;

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
    userId?: string;
    statuses?: readonly TaskStatus[];
    repo?: string;
    limit: number;
    nextToken?: string;
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

  /**
   * Removes tasks that ended before `endedBefore` (ISO 8601) with all that the stores keep of them, and records of leases that
   * expired before it; at most `limit` of each. Returns the task ids.
   */
  sweep(endedBefore: string, limit: number): Promise<string[]>;
}

export interface EventStore {
  /**
   * Appends events that runner or agent reported. Each `seq` of an attempt is taken once; repeats are skipped.
   * A terminal task takes no more events (TASK_ALREADY_TERMINAL); an old attempt throws EPOCH_STALE.
   */
  appendReported(
    taskId: string,
    attempt: number,
    events: readonly { seq: number; event: NewEvent; timestamp: string }[],
  ): Promise<TaskEvent[]>;

  /**
   * Oldest first (newest first with `desc`). `after` = event id, exclusive, in the order of reading; it beats `nextToken`.
   * A page's `nextToken` is the id of its last event. Throws VALIDATION_ERROR for either when it is no event id.
   */
  list(
    taskId: string,
    query: { after?: string; nextToken?: string; limit: number; desc?: boolean },
  ): Promise<Page<TaskEvent>>;

  /** Calls back after a commit that added events to the task; returns the way to stop. Delivery is a hint: read from a cursor. */
  subscribe(taskId: string, onAppended: () => void): () => void;

  /** All tasks' events after a cursor ('' = from the first), in order: the feed of the fan-out. */
  feed(after: string, limit: number): Promise<TaskEvent[]>;
}

/**
 * How an execution that waits is found and woken. A signal that arrives when nothing is parked is kept until the next
 * look (`take`), so none is lost.
 */
export interface WakeupStore {
  /** Remembers where the task waits. `pending` tells that a signal came since the last `take`: don't sleep. */
  park(taskId: string, callbackId: string): Promise<{ pending: boolean }>;
  /** Clears signal and parking place; call it before reading the state that the signal was about. */
  take(taskId: string): Promise<void>;
  /** Leaves a signal; returns the callback to complete, if one is parked. */
  signal(taskId: string): Promise<string | null>;
  /** Removes what is kept for a task that has ended. */
  forget(taskId: string): Promise<void>;
}

export interface OutcomeStore {
  /**
   * The first report of an attempt counts, and writes `events` with it; a later one is accepted, not kept, and writes none.
   * A first report throws TASK_NOT_FOUND, EPOCH_STALE (not the current attempt) or TASK_ALREADY_TERMINAL.
   */
  put(
    taskId: string,
    attempt: number,
    outcome: OutcomeReport,
    events?: NewEvent[],
  ): Promise<{ first: boolean }>;
  get(taskId: string, attempt: number): Promise<OutcomeReport | undefined>;
}

/**
 * Exclusive claims with an owner and an expiry: the only claim mechanism there is. Times are milliseconds since 1970.
 * From `expiresAtMs` on a lease is nobody's, though its record stays until someone takes or releases it.
 */
export interface LeaseStore {
  /**
   * Takes the lease when it is free, expired, or already this owner's. An owner with an older epoch than the record's never gets
   * it. Returns the record as it is now, whoever's it is.
   */
  acquire(
    name: string,
    claim: { owner: string; epoch: number; ttlMs: number },
  ): Promise<{ acquired: boolean; lease: Lease }>;
  /** Moves the expiry. False when the lease is no longer this owner's and epoch's: taken, released or expired. */
  renew(name: string, claim: { owner: string; epoch: number; ttlMs: number }): Promise<boolean>;
  /** False when the record isn't this owner's and epoch's. */
  release(name: string, claim: { owner: string; epoch: number }): Promise<boolean>;
  get(name: string): Promise<Lease | undefined>;
  /** Records whose name starts with `prefix`, expired ones too, by name. */
  list(prefix: string): Promise<Lease[]>;
}

export interface Lease {
  name: string;
  owner: string;
  epoch: number;
  expiresAtMs: number;
}

export interface RepoStore {
  get(repo: string): Promise<RepoConfig | undefined>;
  /** By name, removed ones too. */
  list(query: { limit: number; nextToken?: string }): Promise<Page<RepoConfig>>;
  put(config: RepoConfig): Promise<void>;
}

export const apiKeyRecordSchema = z.object({
  key_id: z.string(),
  user_id: z.string(),
  name: z.string(),
  /** SHA-256 of the secret part, hex: the secret has 256 random bits, so a slow hash adds nothing. */
  secret_hash: z.string(),
  scopes: z.array(z.enum(API_KEY_SCOPES)),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  /** To the minute. */
  last_used_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
export type ApiKeyRecord = z.infer<typeof apiKeyRecordSchema>;

export interface ApiKeyStore {
  create(record: ApiKeyRecord): Promise<void>;
  get(keyId: string): Promise<ApiKeyRecord | undefined>;
  /** Own keys, all users' without `userId`; by key id, revoked ones too. */
  list(query: { userId?: string; limit: number; nextToken?: string }): Promise<Page<ApiKeyRecord>>;
  /** False when it was revoked before. Throws API_KEY_NOT_FOUND. */
  revoke(keyId: string, at: string): Promise<boolean>;
  /** Notes the use; cheap to call at each request, since it writes once a minute. */
  touch(keyId: string, at: string): Promise<void>;
}

/**
 * Larger things: logs, diffs, payloads. Keys are slash-separated names of letters, digits and `. _ - : @ = +`, each starting with
 * a letter or digit; another key is a VALIDATION_ERROR. No key is another's folder (`a` beside `a/b`). Values are bytes.
 */
export interface BlobStore {
  put(key: string, value: Uint8Array | string): Promise<void>;
  /**
   * Appends what lies beyond the present size of a value that starts at byte `offset`: what is there already is skipped, and
   * nothing is written past a gap. Returns the size afterwards, from where the caller goes on.
   */
  append(key: string, offset: number, value: Uint8Array | string): Promise<number>;
  get(key: string): Promise<Uint8Array | undefined>;
  delete(key: string): Promise<void>;
  /** Deletes every key below a prefix that ends in a slash. */
  deletePrefix(prefix: string): Promise<void>;
}

/** Secrets by name (letters, digits, `. _ - /`; else VALIDATION_ERROR). Values never appear in logs or errors. */
export interface SecretStore {
  get(name: string): Promise<string | undefined>;
  put(name: string, value: string): Promise<void>;
  delete(name: string): Promise<void>;
  /** Names only. */
  list(): Promise<string[]>;
}

/** The database-backed stores of one deployment. */
export interface Stores {
  tasks: TaskStore;
  events: EventStore;
  wakeups: WakeupStore;
  outcomes: OutcomeStore;
  leases: LeaseStore;
  repos: RepoStore;
  apiKeys: ApiKeyStore;
}
