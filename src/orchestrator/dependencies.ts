import type { ComputeStrategy } from '../compute/strategy.ts';
import type { Settings } from '../config/settings.ts';
import type { Forge } from '../forge/forge.ts';
import type { Screen } from '../policy/screen.ts';
import type { DurableRuntime } from '../runtime/runtime.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import type { Stores } from '../stores/stores.ts';
import type { Log } from '../task/log.ts';
import type { Workflows } from '../task/workflows.ts';
import type { Waker } from './waker.ts';

/** What the workflow, its steps and the reconcilers work with. */
export interface OrchestratorDeps {
  stores: Stores;
  blobs: BlobStore;
  runtime: DurableRuntime;
  waker: Waker;
  /** Kinds of work of this deployment. */
  workflows: Workflows;
  /** Checks what others wrote before an agent sees it. */
  screen: Screen;
  /** The forge that serves a repository. */
  forgeFor(repo: string): Forge;
  /** Throws COMPUTE_UNAVAILABLE for a backend that this deployment lacks. */
  computeFor(type: string): ComputeStrategy;
  /** Folders that no agent may read: the platform's data. */
  denyRead: readonly string[];
  /** All backends of this deployment. */
  computes: readonly ComputeStrategy[];
  /** A bearer token for the runner's protocol, good for one attempt of one task. */
  issueTaskToken(claim: { taskId: string; attempt: number; expiresAtMs: number }): Promise<string>;
  settings: Settings;
  /** When this platform began to listen, milliseconds since the epoch. */
  listeningSinceMs: number;
  now(): number;
  log: Log;
  /** Told when a reconciler has changed something (K4). Default: nobody is told. */
  onReconciled?(reconciler: string, changed: number): void;
}
