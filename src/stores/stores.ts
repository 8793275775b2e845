import type { NewEvent, TaskEvent } from '../task/events.ts';
import type { OutcomeReport } from '../task/protocol.ts';
import type { RepoConfig } from '../task/repo.ts';
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

  /** Newest first. */
  list(query: {
    userId?: string;
    statuses?: readonly TaskStatus[];
    repo?: string;
    limit: number;
    nextToken?: string;
  }): Promise<Page<Task>>;

  /** Tasks in any of these statuses, oldest first, all users: for reconcilers. Reads by index, never a scan. */
  listByStatus(statuses: readonly TaskStatus[], limit: number): Promise<Task[]>;

  /**
   * One conditional write of status, patch, events and, for a terminal status, the release of the concurrency slot.
   * Throws TASK_MOVED when the status is none of `from` (or `attempt` is not the current one), ILLEGAL_TRANSITION when the table forbids it.
   */
  transition(
    taskId: string,
    move: { from: TaskStatus | readonly TaskStatus[]; to: TaskStatus; attempt?: number; patch?: TaskPatch },
    events: NewEvent[],
  ): Promise<Task>;

  /** Patch and events without a move. Throws TASK_MOVED when `when` doesn't hold (terminal tasks never change unless named). */
  update(
    taskId: string,
    change: { when?: { statuses?: readonly TaskStatus[]; attempt?: number }; patch: TaskPatch },
    events?: NewEvent[],
  ): Promise<Task>;

  /**
   * Takes the user's slot and moves SUBMITTED|QUEUED to HYDRATING in one write (through SUBMITTED from QUEUED), if the user and the
   * system have room and no older queued task that could run is waiting (FIFO). Taking twice is harmless.
   */
  admit(
    taskId: string,
    limits: { perUser: number; system: number; attempt: number },
    patch: TaskPatch,
    events: NewEvent[],
  ): Promise<{ kind: 'admitted'; task: Task } | { kind: 'full'; reason: string }>;

  /** Queued tasks that have room now, oldest first: whom to wake when a slot is freed. */
  admissible(limits: { perUser: number; system: number }, limit: number): Promise<string[]>;

  /** Task ids that hold a slot, by user. */
  slots(): Promise<{ userId: string; taskId: string }[]>;

  /** Gives a slot back that belongs to no live task; a live task's slot is left alone. */
  releaseStaleSlot(userId: string, taskId: string): Promise<boolean>;

  /** How many queued tasks are before this one (0 = next), or null when it isn't queued. */
  queuePosition(taskId: string): Promise<number | null>;

  /** Removes tasks that ended before `endedBefore` (ISO 8601), with their events. Returns their ids. */
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

  /** Oldest first (newest first with `desc`). `after` = event id, exclusive. */
  list(taskId: string, query: { after?: string; limit: number; desc?: boolean }): Promise<Page<TaskEvent>>;

  /** Calls back after a commit that added events to the task; returns the way to stop. Delivery is a hint: read from a cursor. */
  subscribe(taskId: string, onAppended: () => void): () => void;

  /** All tasks' events after a cursor, in order: the feed of the fan-out. */
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
  /** All parked tasks, for wake-ups after a restart. */
  forget(taskId: string): Promise<void>;
}

export interface OutcomeStore {
  /** The first report of an attempt counts: a repeat with the same content is accepted, another content too but not kept. */
  put(taskId: string, attempt: number, outcome: OutcomeReport): Promise<{ first: boolean }>;
  get(taskId: string, attempt: number): Promise<OutcomeReport | undefined>;
}

/** Exclusive claims with an owner and an expiry: the only claim mechanism there is. Times are milliseconds since the epoch. */
export interface LeaseStore {
  /** Takes the lease when it is free, expired, or already this owner's. Returns the lease held now, whoever's it is. */
  acquire(
    name: string,
    claim: { owner: string; epoch: number; ttlMs: number },
  ): Promise<{ acquired: boolean; lease: Lease }>;
  /** False when the lease is no longer this owner's and epoch's. */
  renew(name: string, claim: { owner: string; epoch: number; ttlMs: number }): Promise<boolean>;
  release(name: string, claim: { owner: string; epoch: number }): Promise<boolean>;
  get(name: string): Promise<Lease | undefined>;
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
  list(query: { limit: number; nextToken?: string }): Promise<Page<RepoConfig>>;
  put(config: RepoConfig): Promise<void>;
}

export const API_KEY_SCOPES = [
  'tasks:read',
  'tasks:write',
  'tasks:cancel',
  'webhooks:manage',
  'webhooks:invoke',
  'admin',
] as const;
export type ApiKeyScope = (typeof API_KEY_SCOPES)[number];

export interface ApiKeyRecord {
  key_id: string;
  user_id: string;
  name: string;
  /** SHA-256 of the secret part, hex: the secret has 256 random bits, so a slow hash adds nothing. */
  secret_hash: string;
  scopes: ApiKeyScope[];
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
}

export interface ApiKeyStore {
  create(record: ApiKeyRecord): Promise<void>;
  get(keyId: string): Promise<ApiKeyRecord | undefined>;
  /** Own keys; all users' without `userId`. */
  list(query: { userId?: string; limit: number; nextToken?: string }): Promise<Page<ApiKeyRecord>>;
  /** False when it was revoked before. */
  revoke(keyId: string, at: string): Promise<boolean>;
  touch(keyId: string, at: string): Promise<void>;
}

/** Larger things: logs, diffs, payloads. Keys are slash-separated names without `..`; values are bytes. */
export interface BlobStore {
  put(key: string, value: Uint8Array | string): Promise<void>;
  /** Writes at `offset` when that is the present size; what overlaps is skipped. Returns the size afterwards. */
  append(key: string, offset: number, value: Uint8Array | string): Promise<number>;
  get(key: string): Promise<Uint8Array | undefined>;
  delete(key: string): Promise<void>;
  /** Deletes every key below a prefix that ends in a slash. */
  deletePrefix(prefix: string): Promise<void>;
}

/** Secrets by name. Values never appear in logs or errors. */
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
