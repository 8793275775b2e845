import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../bin/bgagent.js', import.meta.url));

export interface RunningPlatform {
  process: ChildProcess;
  apiUrl: string;
  apiKey: string;
  /** What it printed on standard error so far. */
  log(): string;
  /** Sends the signal and waits for the end; returns exit code or signal. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/** Starts `bgagent up` as a process of its own and waits until it answers. */
export async function startUp(
  dataDir: string,
  environment: Record<string, string> = {},
): Promise<RunningPlatform> {
  const child = spawn(process.execPath, [CLI, 'up', '--port', '0', '--data-dir', dataDir], {
    env: { PATH: process.env.PATH ?? '', HOME: dataDir, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  let printed = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-100_000);
  });
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  // The line on standard output says that it is ready.
  for (const until = Date.now() + 20_000; !printed.includes('\n'); await delay(5)) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the platform ended with ${child.exitCode ?? child.signalCode}:\n${log}`);
    if (Date.now() > until) throw new Error(`the platform did not come up:\n${log}`);
  }
  const client: unknown = JSON.parse(readFileSync(join(dataDir, 'client.json'), 'utf8'));
  const { api_url: apiUrl, api_key: apiKey } = client as { api_url: string; api_key: string };
  return {
    process: child,
    apiUrl,
    apiKey,
    log: () => log,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await once(child, 'exit');
      }
      return child.exitCode ?? child.signalCode;
    },
  };
}

/** A request to the platform's API; returns status and body. */
export async function call<T = Record<string, unknown>>(
  platform: Pick<RunningPlatform, 'apiUrl' | 'apiKey'>,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; data: T; error?: { code: string; message: string } }> {
  const answer = await fetch(`${platform.apiUrl}${path}`, {
    method,
    headers: {
      'x-api-key': platform.apiKey,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const envelope = (await answer.json()) as { data: T; error?: { code: string; message: string } };
  return { status: answer.status, ...envelope };
}
