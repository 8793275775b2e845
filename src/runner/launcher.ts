import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createProcessTree, type ProcessTree } from '../processes/process-tree.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { AgentProcess, ProcessEnd } from './agents/agent.ts';
import type { Launch, Sandbox } from './sandbox/sandbox.ts';

export interface LauncherOptions {
  sandbox: Sandbox;
  workspace: string;
  /** `NAME=value` that every started process carries in its environment. */
  marker: string;
  /** Folders that only this run works in. */
  folders: readonly string[];
  signal: AbortSignal;
  output(stream: Readable): void;
}

/** Seldom enough to cost nothing, often enough to see a daemon before it has covered its tracks. */
const OBSERVE_MS = 250;
/** How long what a dead tree has printed may still trickle in. */
const DRAIN_MS = 1_000;

type Child = ChildProcessByStdio<null, Readable, Readable>;

/**
 * Starts programs of the agent one after the other. When one ends, is stopped or fails, everything that it has started is
 * killed before `ended` resolves, daemons included.
 */
export function createLauncher({ sandbox, workspace, marker, folders, signal, output }: LauncherOptions) {
  return async (
    commandLine: string,
    environment: Readonly<Record<string, string>>,
  ): Promise<AgentProcess> => {
    const launch = await sandbox.wrap({ commandLine, environment });
    signal.throwIfAborted();
    const tree = createProcessTree({ marker, folders });
    const child = spawnGroup(launch, workspace);
    if (child.pid !== undefined) tree.add(child.pid);
    output(child.stdout);
    output(child.stderr);
    // Waited for in the end: it kills whatever works in the work tree, which soon is the runner's own git.
    let killing: Promise<number> = Promise.resolve(0);
    const kill = (): void => {
      killing = tree.kill();
    };
    signal.addEventListener('abort', kill, { once: true });
    const watch = sandbox.containsProcesses ? undefined : setInterval(() => tree.observe(), OBSERVE_MS);
    const ended = endOf(child).finally(async () => {
      clearInterval(watch);
      signal.removeEventListener('abort', kill);
      await killing;
      await clear(child, tree);
    });
    return { ended };
  };
}

const spawnGroup = (launch: Launch, cwd: string): Child =>
  spawn(launch.file, launch.args, {
    cwd,
    env: launch.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, which can be killed as a whole.
    detached: true,
  });

const endOf = (child: Child): Promise<ProcessEnd> =>
  new Promise((resolve, reject) => {
    child.once('exit', (code, name) => resolve({ code, signal: name }));
    child.once('error', (error) =>
      reject(
        new BgAgentError('AGENT_NOT_AVAILABLE', `the program could not be started: ${messageOf(error)}`, {
          cause: error,
        }),
      ),
    );
  });

async function clear(child: Child, tree: ProcessTree): Promise<void> {
  const closed = new Promise((resolve) =>
    child.stdout.closed && child.stderr.closed ? resolve(undefined) : child.once('close', resolve),
  );
  const left = await tree.kill();
  if (left > 0) throw new BgAgentError('RUNNER_ERROR', `${left} processes of the agent would not end`);
  await Promise.race([closed, delay(DRAIN_MS, undefined, { ref: false })]);
  child.stdout.destroy();
  child.stderr.destroy();
}
