import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { type Client, createClient } from '../api/client.ts';
import { editSettingsFile } from '../config/edit-settings.ts';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { settingsFileOf } from '../config/settings-file.ts';
import { BgAgentError } from '../task/errors.ts';
import { isTerminal } from '../task/status.ts';
import type { Cli } from './cli.ts';

/** A platform of the demo's own in a temporary folder. */
export interface PrivatePlatform {
  /** The temporary folder; everything is below it. */
  folder: string;
  dataDir: string;
  start(
    startPlatform: typeof import('../entry/server.ts').startPlatform,
  ): Promise<{ apiUrl: string; apiKey: string }>;
  /** The task that must have ended before the platform may go. */
  drives(taskId: string): void;
  /** Cancels the task if it has not ended, stops the platform and removes the folder. */
  remove(): Promise<void>;
  /** Goes on as a process of its own that outlives this one; resolves with the process's id when it answers. */
  leaveRunning(): Promise<number>;
}

/** How long a cancelled task may take to be gone. */
const CANCEL_WAIT_MS = 20_000;
const START_WAIT_MS = 15_000;
const LOOK_EVERY_MS = 100;

export async function createPrivatePlatform(cli: Cli, flags: Partial<Settings>): Promise<PrivatePlatform> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-demo-'));
  const dataDir = join(folder, 'data');
  const logFile = join(folder, 'platform.log');
  let running: { apiUrl: string; apiKey: string; close(): Promise<void> } | undefined;
  let client: Client | undefined;
  let taskId: string | undefined;

  return {
    folder,
    dataDir,
    async start(startPlatform) {
      const own = { host: '127.0.0.1', cancel_grace_s: 2, ...flags };
      // In a file, so that a platform that is kept works with them too.
      await editSettingsFile(settingsFileOf(dataDir), {
        set: Object.fromEntries(Object.entries(own).map(([name, value]) => [name, JSON.stringify(value)])),
        unset: [],
      });
      const settings = await loadSettings({
        environment: cli.environment,
        dataDir,
        flags: { ...own, port: 0 },
      });
      running = await startPlatform({
        dataDir,
        settings,
        runnerEnvironment: cli.environment.inherited,
        environmentSecrets: cli.environment.secrets,
        log: pino({ level: 'info', base: null }, pino.destination({ dest: logFile, sync: true })),
      });
      // Without the signal of Ctrl-C: the cleaning up after it needs the API still.
      client = createClient(running);
      return running;
    },
    drives(id) {
      taskId = id;
    },
    async remove() {
      try {
        if (client && taskId !== undefined) await endTask(client, taskId);
      } finally {
        await running?.close();
        await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      }
    },
    async leaveRunning() {
      const [, script = ''] = process.argv;
      await running?.close();
      const port = running ? new URL(running.apiUrl).port : '0';
      const log = openSync(logFile, 'a');
      const child = spawn(process.execPath, [script, 'up', '--data-dir', dataDir, '--port', port], {
        detached: true,
        stdio: ['ignore', 'ignore', log],
      });
      closeSync(log);
      child.unref();
      await untilReady(client, logFile);
      return child.pid ?? 0;
    },
  };
}

async function endTask(client: Client, taskId: string): Promise<void> {
  const { status } = await client.getTask(taskId);
  if (isTerminal(status)) return;
  await client.cancelTask(taskId);
  for (const until = Date.now() + CANCEL_WAIT_MS; Date.now() < until; await pause()) {
    if (isTerminal((await client.getTask(taskId)).status)) return;
  }
  throw new BgAgentError('SERVICE_UNAVAILABLE', `task ${taskId} did not end when it was cancelled`);
}

async function untilReady(client: Client | undefined, logFile: string): Promise<void> {
  for (const until = Date.now() + START_WAIT_MS; Date.now() < until; await pause()) {
    if (
      await client?.checkReady().then(
        () => true,
        () => false,
      )
    )
      return;
  }
  throw new BgAgentError('SERVICE_UNAVAILABLE', `the platform did not come up again; see ${logFile}`);
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
