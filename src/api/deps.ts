import type { ChannelInbox } from '../channels/channel.ts';
import type { Settings } from '../config/settings.ts';
import type { Screen } from '../policy/screen.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import type { FleetInstance } from '../stores/instance-store.ts';
import type { SecretStore } from '../stores/secret-store.ts';
import type { Stores } from '../stores/stores.ts';
import { earliestId } from '../task/ids.ts';
import type { Log } from '../task/log.ts';
import type { ModelAccess, Payload } from '../task/protocol.ts';
import type { Task } from '../task/task.ts';
import { createWorkflows, type Workflows } from '../task/workflows.ts';
import { type Authenticate, createAuthenticate } from './authenticate.ts';
import { createDeferredMetrics } from './deferred-metrics.ts';
import type { TaskDriver } from './driver.ts';
import type { Metrics } from './metrics.ts';
import type { TextMask } from './runner/mask.ts';
import type { TaskTokens } from './task-tokens.ts';

/** Everything the API works with; it has no state of its own besides rate counters. */
export interface ApiDeps {
  stores: Stores;
  blobs: BlobStore;
  /** Where the secrets that webhooks are signed with are kept. */
  secrets: SecretStore;
  settings: Settings;
  /** Milliseconds since the epoch. */
  now(): number;
  /** A fresh ULID. */
  newId(): string;
  log: Log;
  taskTokens: TaskTokens;
  /** Checks text from outside; when it throws, the request is refused (503). */
  screen: Screen;
  driver: TaskDriver;
  /** Canonical name of a repository, and whether it may be onboarded on first use. Throws VALIDATION_ERROR. */
  resolveRepo(reference: string): RepoReference | Promise<RepoReference>;
  /** Short-lived credentials for the runner's clone and push; null when none are needed. */
  forgeCredentials(
    repo: string,
    rights: { push: boolean },
  ): Promise<{ username: string; password: string; expiresAt: string | null } | null>;
  /** How the runner reaches the model of the task's agent; null when it needs none or there are no credentials. Default: null. */
  modelAccess?(task: Task): Promise<ModelAccess | null>;
  /** Hides values of the secret store in what runners tell. Default: nothing is hidden. */
  textMask?(): Promise<TextMask>;
  /** What the runner of the task's present attempt works from. */
  payloadFor(task: Task): Promise<Payload>;
  /** Coding agents that this deployment can run. Default: `command`. */
  agents: readonly string[];
  /** Kinds of work. Default: those that are built in. */
  workflows: Workflows;
  /** Compute backends of this deployment. Default: `local` without a known limit. */
  computes: readonly {
    type: string;
    maxSessions: number | null;
    maxDeadlineS?: number;
    /** Left out = it has no instance types. */
    instanceTypes?: readonly string[];
  }[];
  /** The machines of the fleet. Default: there is none. */
  instances(): Promise<FleetInstance[]>;
  /** Who a caller is. Default: API keys of the stores, and tokens of `oidc_issuer`. */
  authenticate: Authenticate;
  /** Where the services of channels post what people do there. Default: none. */
  inboxes: { slack?: ChannelInbox; github?: ChannelInbox };
  /** What /metrics shows. Default: what is in the stores and what this API answers. */
  metrics: Metrics;
  /** Ends open event streams when it aborts, so that the server can close; readers resume elsewhere. */
  closing?: AbortSignal;
  /** How long a cancel waits for its proof. Default 5,000 ms. */
  cancelWaitMs: number;
  /** Pause between pings of an event stream. Default 15,000 ms. */
  pingIntervalMs: number;
}

type Defaulted =
  | 'authenticate'
  | 'metrics'
  | 'agents'
  | 'workflows'
  | 'computes'
  | 'inboxes'
  | 'instances'
  | 'cancelWaitMs'
  | 'pingIntervalMs';

/** The same, where what has a default may be left out. */
export type ApiOptions = Omit<ApiDeps, Defaulted> & Partial<Pick<ApiDeps, Defaulted>>;

export const withDefaults = (options: ApiOptions): ApiDeps => ({
  authenticate: createAuthenticate({
    apiKeys: options.stores.apiKeys,
    settings: options.settings,
    now: options.now,
  }),
  inboxes: {},
  instances: async () => [],
  metrics: createDeferredMetrics(defaultMetrics(options)),
  agents: ['command'],
  workflows: createWorkflows(),
  computes: [{ type: 'local', maxSessions: null }],
  cancelWaitMs: 5_000,
  pingIntervalMs: 15_000,
  ...options,
});

/** The library behind it is loaded when somebody looks. Counting begins now. */
function defaultMetrics({ stores, now }: Pick<ApiOptions, 'stores' | 'now'>): () => Promise<Metrics> {
  const since = earliestId(now());
  return async () => (await import('./metrics.ts')).createMetrics({ stores, now, since });
}

/** `named` (`owner/name`) must be onboarded by an admin; the others are, with defaults, on first use. */
export interface RepoReference {
  repo: string;
  kind: 'local' | 'url' | 'named';
  /** A path of this machine where nothing is. */
  missing?: boolean;
}
