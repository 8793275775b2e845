import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createProcessTree, type ProcessTree } from '../processes/process-tree.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { AgentIo, AgentProcess, ProcessEnd } from './agents/agent.ts';
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

/**
 * Starts programs of the agent one after the other. When one ends, is stopped or fails, everything that it has started is
 * killed before `ended` resolves, daemons included.
 */
export function createLauncher({ sandbox, workspace, marker, folders, signal, output }: LauncherOptions) {
  return async (
    commandLine: string,
    environment: Readonly<Record<string, string>>,
    io?: AgentIo,
  ): Promise<AgentProcess> => {
    const launch = await sandbox.wrap({ commandLine, environment });
    signal.throwIfAborted();
    const tree = createProcessTree({ marker, folders });
    const child = spawnGroup(launch, workspace, io ? 'pipe' : 'ignore');
    if (child.pid !== undefined) tree.add(child.pid);
    if (child.stderr) output(child.stderr);
    if (io) connect(child, io);
    else if (child.stdout) output(child.stdout);
    // Waited for in the end: it kills whatever works in the work tree, which soon is the runner's own git.
    let killing: Promise<number> = Promise.resolve(0);
    let over = false;
    // Once it's over, the next program may be under way, which carries the same mark.
    const kill = (): void => {
      if (!over) killing = tree.kill();
    };
    signal.addEventListener('abort', kill, { once: true });
    const watch = sandbox.containsProcesses ? undefined : setInterval(() => tree.observe(), OBSERVE_MS);
    const ended = endOf(child).finally(async () => {
      over = true;
      clearInterval(watch);
      signal.removeEventListener('abort', kill);
      await killing;
      await clear(child, tree);
    });
    return { ended, kill };
  };
}

const spawnGroup = (launch: Launch, cwd: string, stdin: 'pipe' | 'ignore'): ChildProcess =>
  spawn(launch.file, launch.args, {
    cwd,
    env: launch.environment,
    stdio: [stdin, 'pipe', 'pipe'],
    // A group of its own, which can be killed as a whole.
    detached: true,
  });

function connect({ stdin, stdout }: ChildProcess, io: AgentIo): void {
  if (stdin) {
    // A program that ends before it has read everything is no failure of ours.
    stdin.on('error', () => undefined);
    io.stdin.pipe(stdin);
  }
  stdout?.pipe(io.stdout);
}

const endOf = (child: ChildProcess): Promise<ProcessEnd> =>
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

async function clear(child: ChildProcess, tree: ProcessTree): Promise<void> {
  const { stdout, stderr } = child;
  const closed = new Promise((resolve) =>
    stdout?.closed !== false && stderr?.closed !== false ? resolve(undefined) : child.once('close', resolve),
  );
  const left = await tree.kill();
  if (left > 0) throw new BgAgentError('RUNNER_ERROR', `${left} processes of the agent would not end`);
  await Promise.race([closed, delay(DRAIN_MS, undefined, { ref: false })]);
  stdout?.destroy();
  stderr?.destroy();
}
