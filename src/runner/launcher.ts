import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createProcessTree, type ProcessTree } from '../processes/process-tree.ts';
import { descendantsOf, type ProcessUsage, usageOf } from '../processes/usage.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { AgentIo, AgentProcess, ProcessEnd } from './agents/agent.ts';
import { givingWay, kernelLimit, type ProcessLimits, watchProcesses } from './process-limits.ts';
import type { Launch, Sandbox } from './sandbox/sandbox.ts';

export interface LauncherOptions {
  sandbox: Sandbox;
  workspace: string;
  /** `NAME=value` that every started process carries in its environment. */
  marker: string;
  /** Folders that only this run works in. */
  folders: readonly string[];
  limits: ProcessLimits;
  /** The processes are over their limits. Called once a program at most; to end them is up to the caller. */
  exceeded(message: string): void;
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
export function createLauncher(options: LauncherOptions) {
  const { sandbox, workspace, marker, folders, signal, output } = options;
  return async (
    commandLine: string,
    environment: Readonly<Record<string, string>>,
    io?: AgentIo,
  ): Promise<AgentProcess> => {
    const launch = givingWay(
      await sandbox.wrap({
        commandLine: `${kernelLimit(options.limits)}\n${commandLine}`,
        environment,
      }),
    );
    signal.throwIfAborted();
    const tree = createProcessTree({ marker, folders, uid: sandbox.agentUid });
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
    const endWatch = watchProcesses({ ...options, measure: () => measure(child, tree, sandbox) });
    const ended = endOf(child).finally(async () => {
      over = true;
      clearInterval(watch);
      endWatch();
      signal.removeEventListener('abort', kill);
      await killing;
      await clear(child, tree);
    });
    return { ended, kill };
  };
}

const measure = (
  { pid = 0 }: ChildProcess,
  tree: ProcessTree,
  { type, containsProcesses }: Sandbox,
): ProcessUsage => {
  const pids = containsProcesses ? descendantsOf(pid) : tree.observe().map((found) => found.pid);
  return usageOf(pids, { ownRoot: type === 'srt' && process.platform === 'linux' });
};

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
