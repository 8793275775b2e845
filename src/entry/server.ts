import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createTaskActions } from '../api/actions.ts';
import { createApi } from '../api/app.ts';
import { withDefaults } from '../api/deps.ts';
import { createTaskTokens } from '../api/task-tokens.ts';
import { createLocalCompute } from '../compute/local/local.ts';
import type { ComputeEvents, ComputeStrategy } from '../compute/strategy.ts';
import type { Settings } from '../config/settings.ts';
import { startFanOut } from '../events/fan-out.ts';
import type { OrchestratorDeps } from '../orchestrator/dependencies.ts';
import { startAttempt } from '../orchestrator/driver.ts';
import { loadPayload } from '../orchestrator/payload.ts';
import { startReconciler } from '../orchestrator/reconcilers/reconciler.ts';
import { wakeAllUnderWay, wakeWaitingForRoom } from '../orchestrator/wake-up-calls.ts';
import { createWaker } from '../orchestrator/waker.ts';
import { createTaskWorkflow, TASK_WORKFLOW } from '../orchestrator/workflow.ts';
import { createSqliteRuntime, runtimeMigrations } from '../runtime/sqlite/runtime.ts';
import { openDatabase } from '../sqlite/open.ts';
import { createFileBlobs } from '../stores/files/blobs.ts';
import { createFileSecrets } from '../stores/files/secrets.ts';
import { createInstanceStore, instanceMigrations } from '../stores/sqlite/instances.ts';
import { createSqliteStores, storeMigrations } from '../stores/sqlite/stores.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import { createIdSource } from '../task/ids.ts';
import type { Log } from '../task/log.ts';
import { createWorkflows } from '../task/workflows.ts';
import { createChannels } from './channels.ts';
import { writePlatformFiles } from './client-key.ts';
import { makeDataFolder } from './data-folder.ts';
import { openEc2 } from './ec2.ts';
import { openEventQueue } from './event-queue.ts';
import { openFallbacks } from './fallbacks.ts';
import { createForges } from './forges.ts';
import { listen } from './listen.ts';
import { modelAccess } from './model-access.ts';
import { openRemoteComputes } from './remote-computes.ts';
import { createRepoResolver } from './repo-references.ts';
import { runnerCommand } from './runner-command.ts';
import { createScreen } from './screen.ts';
import { createSecretMask } from './secret-mask.ts';
import { taskTokenSecret } from './task-token-secret.ts';
import { readWorkflowFiles } from './workflow-files.ts';

export interface PlatformOptions {
  /** Everything the platform keeps is below this folder. */
  dataDir: string;
  settings: Settings;
  /** What runners inherit of this process's environment (PATH and the like; no secrets). */
  runnerEnvironment: Readonly<Record<string, string>>;
  /** Secrets from the environment, by name; they win over the file. */
  environmentSecrets: Readonly<Record<string, string>>;
  log: Log;
}

export interface Platform {
  apiUrl: string;
  /** A key of the administrator, as written to `client.json`. */
  apiKey: string;
  /** Stops taking requests and driving tasks; runners go on and are found again at the next start. */
  close(): Promise<void>;
}

/** The platform on one machine: every part is put together here, and nowhere else. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { dataDir, settings, log } = options;
  const now = Date.now;
  await makeDataFolder(dataDir);
  const database = await openDatabase({
    file: join(dataDir, 'bgagent.db'),
    migrations: [storeMigrations, runtimeMigrations, instanceMigrations],
  });
  const closers: (() => unknown)[] = [() => database.close()];
  const closing = new AbortController();
  const closeAll = async (): Promise<void> => {
    closing.abort();
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const stores = createSqliteStores({ database, now });
    const blobs = createFileBlobs({ folder: join(dataDir, 'blobs') });
    const secrets = await createFileSecrets({
      file: join(dataDir, 'secrets.json'),
      environment: options.environmentSecrets,
    });
    const secret = await taskTokenSecret(secrets);
    const taskTokens = createTaskTokens({ secret, now });
    const runtime = await createSqliteRuntime({ database, now, trimAfterMs: 5_000 });
    closers.push(() => runtime.close());
    const waker = createWaker({ stores, runtime });
    const { forgeFor, github } = createForges({
      settings,
      secrets,
      repos: stores.repos,
      environment: options.runnerEnvironment,
      log,
    });

    let apiUrl = '';
    const wakeLater = (taskId: string): void => {
      waker
        .wake(taskId)
        .catch((error: unknown) =>
          log.warn(
            { event: 'entry.wake.failed', task_id: taskId, error: messageOf(error) },
            'could not wake a task',
          ),
        );
    };
    const computeEvents: ComputeEvents = {
      sessionEnded: wakeLater,
      capacityFreed: () => void wakeWaitingForRoom({ stores, waker, log }),
    };
    const local = createLocalCompute({
      dataDir,
      workDir: join(dataDir, 'work'),
      runnerCommand: runnerCommand(),
      runnerEnvironment: options.runnerEnvironment,
      apiUrl: () => apiUrl,
      apiUrlFile: join(dataDir, 'platform.json'),
      capacity: settings.local_capacity ?? availableParallelism() * 2,
      events: computeEvents,
      log,
    });
    closers.push(() => local.close());
    const instances = createInstanceStore({ database, now });
    const ec2 = await openEc2({
      settings,
      instances,
      apiUrl: () => apiUrl,
      events: computeEvents,
      now,
      log,
    });
    if (ec2) closers.push(() => ec2.close());
    const remote = await openRemoteComputes({
      settings,
      secret,
      apiUrl: () => apiUrl,
      events: computeEvents,
      now,
      log,
    });
    closers.push(() => remote.map((compute) => compute.close?.()));
    const single: readonly ComputeStrategy[] = [local, ...(ec2 ? [ec2] : []), ...remote];
    const computes = [...single, ...openFallbacks(settings, single)];

    const workflows = createWorkflows(await readWorkflowFiles(settings.workflow_files, dataDir));
    const screen = createScreen(settings);
    const deps: OrchestratorDeps = {
      workflows,
      screen,
      stores,
      blobs,
      runtime,
      waker,
      forgeFor,
      computeFor(type) {
        const strategy = computes.find((candidate) => candidate.type === type);
        if (!strategy)
          throw new BgAgentError(
            'COMPUTE_UNAVAILABLE',
            `this deployment has no backend "${type}"; it has ${computes.map((c) => c.type).join(', ')}`,
          );
        return strategy;
      },
      computes,
      denyRead: [dataDir],
      issueTaskToken: (claim) => taskTokens.issue(claim),
      settings,
      listeningSinceMs: now(),
      now,
      log,
    };

    const newId = createIdSource(now);
    const apiDeps = withDefaults({
      stores,
      blobs,
      secrets,
      settings,
      now,
      newId,
      log,
      taskTokens,
      screen,
      workflows,
      driver: { start: (task) => startAttempt(deps, task), wake: (taskId) => waker.wake(taskId) },
      resolveRepo: createRepoResolver(dataDir, github),
      forgeCredentials: (repo, rights) => forgeFor(repo).credentials(repo, rights),
      modelAccess: (task) =>
        modelAccess(task, { settings, secrets, sts: { proxy: options.runnerEnvironment } }),
      textMask: createSecretMask({ secrets, now, log }),
      agents: ['command', 'claude', 'codex'],
      payloadFor: (task) => loadPayload(blobs, task, now()),
      computes: computes.map(({ type, capabilities }) => ({ type, ...capabilities })),
      instances: () => instances.list(settings.ec2_fleet),
      closing: closing.signal,
    });
    deps.onReconciled = apiDeps.metrics.reconciled;
    const channelParts = { settings, secrets, stores, workflows, forgeFor, log, now };
    const { channels, inboxes } = createChannels({ ...channelParts, actions: createTaskActions(apiDeps) });
    const app = createApi({ ...apiDeps, inboxes });
    const server = await listen({ app, newId, log, host: settings.host, port: settings.port });
    closers.push(() => server.close());
    apiUrl = server.url;
    const apiKey = await writePlatformFiles({ dataDir, apiUrl, apiKeys: stores.apiKeys, now, newId });

    // Runners are known before the workflows that ask for them go on.
    await local.attach();
    ec2?.attach();
    runtime.register(TASK_WORKFLOW, createTaskWorkflow(deps));
    await wakeAllUnderWay({ stores, waker, log });
    const fanOut = await startFanOut({
      stores,
      channels,
      log,
      now,
      owner: newId(),
      maxFailures: settings.delivery_attempts,
    });
    closers.push(() => fanOut.stop());
    const eventQueue = openEventQueue({
      settings,
      actions: {
        wake: (taskId) => waker.wake(taskId),
        refresh: (session) => deps.computeFor(session.type).describe(session, { fresh: true }),
        lookAtFleet: async ({ what, instanceId }) =>
          what === 'interruption' ? ec2?.takeBack(instanceId) : ec2?.sweep(),
      },
      log,
    });
    if (eventQueue) closers.push(() => eventQueue.close());
    const reconciler = startReconciler(deps);
    closers.push(() => reconciler.stop());
    return { apiUrl, apiKey, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
