import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findByArgument, isAlive, type ProcessIdentity, processIdentity } from '../../processes/process.ts';
import { createProcessTree, signalProcess } from '../../processes/process-tree.ts';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';
import { executionName, type Session } from '../../task/task.ts';
import type { ComputeEvents, ComputeStrategy, SessionSpec, SessionState, StartResult } from '../strategy.ts';
import { createSessionFiles, type SessionFiles } from './session-files.ts';

export interface LocalComputeOptions {
  /** Folder of this backend: `sessions/` for its own files. */
  dataDir: string;
  /** Where runners keep mirrors and workspaces. */
  workDir: string;
  /** Program and first arguments; the bootstrap file comes after them. */
  runnerCommand: readonly [string, ...string[]];
  /** The environment of the runner: what its tools need, no secrets. */
  runnerEnvironment: Readonly<Record<string, string>>;
  /** The address of the platform now, and the file where a runner finds it when it has changed. */
  apiUrl(): string;
  apiUrlFile: string;
  /** Sessions at once. */
  capacity: number;
  events: ComputeEvents;
  log: Pick<Log, 'warn'>;
}

/** How often a session that this process did not start itself is looked at, in milliseconds. */
const ADOPTED_POLL_MS = 250;
const END_POLL_MS = 20;

/**
 * Runs each task as a detached process of this machine. Runners outlive the platform: after a restart they are found again by pid and start
 * time. Call `attach` before the first start, and `close` at the end (runners go on).
 */
export function createLocalCompute(
  options: LocalComputeOptions,
): ComputeStrategy & { attach(): Promise<void>; close(): void } {
  const files = createSessionFiles(join(options.dataDir, 'sessions'));
  const live = new Map<string, ProcessIdentity>();
  /** Starts under way, so that two starts of one attempt share one. */
  const starting = new Map<string, Promise<StartResult>>();
  const adopted = new Set<string>();
  const poll = setInterval(() => {
    for (const id of adopted) {
      const identity = live.get(id);
      if (identity && isAlive(identity)) continue;
      adopted.delete(id);
      ended(id);
    }
  }, ADOPTED_POLL_MS);
  poll.unref();

  function ended(id: string): void {
    if (!live.delete(id)) return;
    const at = id.lastIndexOf('-');
    options.events.sessionEnded(id.slice(0, at), Number(id.slice(at + 1)));
    options.events.capacityFreed();
  }

  async function adopt(id: string): Promise<boolean> {
    const recorded = await files.readProcess(id);
    // The platform may have died between starting the process and writing down which it is.
    const identity = recorded ?? findByArgument(files.bootstrapFile(id));
    if (!identity) return false;
    if (!recorded) await files.writeProcess(id, identity);
    if (isAlive(identity) && !live.has(id)) {
      live.set(id, identity);
      adopted.add(id);
    }
    return true;
  }

  async function start(id: string, spec: SessionSpec): Promise<StartResult> {
    const session: Session = { type: 'local', id, ref: null };
    if (live.has(id) || (await adopt(id))) return { kind: 'started', session };
    if (new Set([...live.keys(), ...starting.keys()]).size > options.capacity)
      return { kind: 'no-capacity', reason: `${live.size} of ${options.capacity} sessions are in use` };
    try {
      await files.create(id, {
        task_id: spec.taskId,
        attempt: spec.attempt,
        token: spec.token,
        api_url: options.apiUrl(),
        api_url_file: options.apiUrlFile,
        work_dir: options.workDir,
        log_file: files.logFile(id),
        not_after: null,
        agent_user: null,
      });
      const { child, identity } = await launch(options, files, id);
      live.set(id, identity);
      child.once('exit', (code, signal) => {
        files
          .writeExit(id, { code, signal })
          .catch((error: unknown) =>
            options.log.warn(
              { event: 'compute.local.exit_not_recorded', session_id: id, error: messageOf(error) },
              'exit code not recorded',
            ),
          )
          .finally(() => ended(id));
      });
      await files.writeProcess(id, identity);
      return { kind: 'started', session };
    } catch (error) {
      const identity = live.get(id);
      if (identity) process.kill(identity.pid, 'SIGKILL');
      await files.remove(id);
      throw new BgAgentError('COMPUTE_UNAVAILABLE', `the runner could not be started: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  return {
    type: 'local',
    capabilities: { reportsExit: true, startAllowanceMs: 0, maxSessions: options.capacity },
    async attach() {
      for (const id of await files.ids()) await adopt(id);
    },
    close() {
      clearInterval(poll);
    },
    start(spec) {
      const id = executionName(spec.taskId, spec.attempt);
      const running = starting.get(id) ?? start(id, spec).finally(() => starting.delete(id));
      starting.set(id, running);
      return running;
    },
    async describe(session): Promise<SessionState> {
      if (!(await files.exists(session.id))) return { kind: 'missing' };
      const identity = live.get(session.id) ?? (await files.readProcess(session.id));
      if (identity && isAlive(identity)) return { kind: 'running' };
      const exit = await files.readExit(session.id);
      return { kind: 'exited', exitCode: exit?.code ?? null, reason: exitReason(exit) };
    },
    async stop(session, { graceMs }) {
      const runner =
        live.get(session.id) ??
        (await files.readProcess(session.id)) ??
        findByArgument(files.bootstrapFile(session.id));
      if (runner) await endRunner(runner, graceMs);
      const tree = createProcessTree({
        marker: `BGAGENT_SESSION=${session.id}`,
        folders: [join(options.workDir, 'runs', session.id)],
      });
      if (runner && isAlive(runner)) tree.add(runner.pid);
      const left = await tree.kill();
      if (left > 0)
        throw new BgAgentError(
          'COMPUTE_UNAVAILABLE',
          `${left} processes of session ${session.id} do not end`,
        );
      if (adopted.delete(session.id)) ended(session.id);
    },
    async list() {
      return (await files.ids()).map((id) => ({ type: 'local', id, ref: null }));
    },
    async cleanUp(session) {
      await rm(join(options.workDir, 'runs', session.id), { recursive: true, force: true });
      await files.remove(session.id);
    },
  };
}

async function launch(
  options: LocalComputeOptions,
  files: SessionFiles,
  id: string,
): Promise<{ child: ChildProcess; identity: ProcessIdentity }> {
  const [program, ...rest] = options.runnerCommand;
  const log = openSync(files.logFile(id), 'a', 0o600);
  try {
    const child = spawn(program, [...rest, files.bootstrapFile(id)], {
      // A session of its own: what ends the platform's terminal must not end the runner.
      detached: true,
      cwd: files.folder(id),
      env: { ...options.runnerEnvironment, BGAGENT_SESSION: id },
      stdio: ['ignore', log, log],
    });
    const { pid } = child;
    if (pid === undefined) throw await new Promise<Error>((resolve) => child.once('error', resolve));
    child.unref();
    return { child, identity: processIdentity(pid) };
  } finally {
    closeSync(log);
  }
}

/** SIGTERM, then patience: the runner kills its agent at once and pushes what there is. */
async function endRunner(runner: ProcessIdentity, graceMs: number): Promise<void> {
  if (!isAlive(runner)) return;
  signalProcess(runner.pid, 'SIGTERM');
  for (const until = Date.now() + graceMs; Date.now() < until && isAlive(runner); ) await delay(END_POLL_MS);
}

const exitReason = (exit: { code: number | null; signal: string | null } | undefined): string => {
  if (!exit) return 'the process is gone';
  return exit.signal === null ? `exit code ${exit.code}` : `killed by ${exit.signal}`;
};
