import type { TaskEvent } from '../task/events.ts';
import type { ChannelOverrides } from '../task/notifications.ts';
import type { ApiKeyScope } from '../task/scopes.ts';
import type { Task } from '../task/task.ts';

/**
 * A way to tell people about tasks. Which events go where, retries and order are the fan-out's; a channel renders one event,
 * sends it once, and says how that went.
 */
export interface Channel {
  /** As in deliveries and overrides: lower case. */
  readonly name: string;
  /** Every type of event it has a renderer for. */
  readonly renders: readonly string[];
  /** Those it tells about unless repository or task say otherwise; some of `renders`. */
  readonly defaults: readonly string[];
  /** Deliveries under way at once, at most. */
  readonly concurrency: number;

  /** Whether anybody is to be told about the task here. Nothing is sent. */
  wants(task: Task, overrides: ChannelOverrides): boolean;

  /**
   * Sends the event, or finds that an earlier attempt did: calling again after a failure of any kind never makes a second
   * message. Throws CHANNEL_REFUSED when no retry can help, CHANNEL_NOT_CONFIGURED for a missing setting, CHANNEL_UNAVAILABLE
   * (with `retryAfterSeconds` when told) otherwise; whatever else is thrown counts as retryable.
   */
  deliver(message: ChannelMessage): Promise<ChannelAnswer>;
}

export interface ChannelMessage {
  event: TaskEvent;
  /** The event's type, or the milestone in it. */
  type: string;
  /** As it was when the attempt began. */
  task: Task;
  overrides: ChannelOverrides;
}

/** `postponed`: not yet, by the channel's own pace. `note`: what the ledger should say, such as why nothing was sent. */
export type ChannelAnswer = { kind: 'sent'; note: string | null } | { kind: 'postponed'; untilMs: number };

/** What comes back from people: signed requests of the channel's service. */
export interface ChannelInbox {
  /**
   * Checks the signature, answers at once and does the work after. `kind` is the last part of the path. Throws UNAUTHORIZED,
   * VALIDATION_ERROR, ROUTE_NOT_FOUND, SERVICE_UNAVAILABLE, CHANNEL_NOT_CONFIGURED.
   */
  receive(kind: string, request: InboundRequest): Promise<InboundAnswer>;
  /** Resolves when the work that answers did not wait for is done. */
  settled(): Promise<void>;
}

export interface InboundRequest {
  method: string;
  /** Query parameters. */
  query: Readonly<Record<string, string>>;
  header(name: string): string | undefined;
  /** The body as it was signed. */
  body: string;
}

export interface InboundAnswer {
  body: string;
  contentType: 'application/json' | 'text/plain' | 'text/html';
}

/** Someone of this platform who acts through a channel. */
export interface Actor {
  userId: string;
  scopes: readonly ApiKeyScope[];
}

/** What a channel's people may do, with the checks of the API: own tasks, scopes, screening, limits. Throws the API's errors. */
export interface TaskActions {
  /** `key`: the same key makes the task once, however often it is called. */
  submit(actor: Actor, request: InboundTask, key: string): Promise<{ task: Task; created: boolean }>;
  /** `key` as above. */
  retry(actor: Actor, taskId: string, key: string): Promise<Task>;
  /** Ends the task's session (not only its record) and returns the task as it is then. */
  cancel(actor: Actor, taskId: string): Promise<Task>;
  get(actor: Actor, taskId: string): Promise<Task>;
  /** The actor's newest tasks, newest first. */
  recent(actor: Actor, limit: number): Promise<Task[]>;
}

export interface InboundTask {
  repo: string;
  description: string | null;
  issueNumber: number | null;
  /** A pull request to work on. Default none. */
  prNumber?: number | null;
  source: Task['channel_source'];
  /** Where answers go, in the channel's own words. */
  metadata: Readonly<Record<string, string>>;
}
