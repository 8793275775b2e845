import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { messageOf } from '../../../task/errors.ts';
import type { AgentInput, AgentProcess } from '../agent.ts';
import { commandLineOf } from '../command-line.ts';
import { createLines } from '../lines.ts';
import type { SpawnedProcess, SpawnRequest } from './sdk.ts';

export interface ClaudeProcess extends SpawnedProcess {
  /** Resolves when nothing of the program is left; rejects when it could not be started. */
  ended: Promise<void>;
}

/** Starts the SDK's program in the sandbox, and shows it to the SDK as a child process. */
export function startInSandbox(
  { command, args, env }: SpawnRequest,
  { start }: Pick<AgentInput, 'start'>,
): ClaudeProcess {
  const events = new EventEmitter();
  // An error that nobody listens for any more would end the runner.
  events.on('error', () => undefined);
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const lines = createLines();
  let agent: AgentProcess | undefined;
  let killed = false;
  let exitCode: number | null = null;
  const kill = (): boolean => {
    killed = true;
    agent?.kill();
    return true;
  };
  lines.on('error', (error) => {
    events.emit('error', error);
    stdout.end();
    kill();
  });
  lines.pipe(stdout);

  async function run(): Promise<void> {
    const environment = Object.fromEntries(
      Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    agent = await start(commandLineOf(command, args), environment, { stdin, stdout: lines });
    if (killed) agent.kill();
    const { code, signal } = await agent.ended;
    lines.end();
    exitCode = code ?? 1;
    events.emit('exit', code, signal);
  }
  const ended = run().catch((error: unknown) => {
    exitCode = 1;
    stdout.end();
    events.emit('error', error instanceof Error ? error : new Error(messageOf(error)));
    throw error;
  });
  ended.catch(() => undefined);

  return {
    stdin,
    stdout,
    ended,
    get killed() {
      return killed;
    },
    get exitCode() {
      return exitCode;
    },
    kill,
    on: (event, listener) => events.on(event, listener),
    once: (event, listener) => events.once(event, listener),
    off: (event, listener) => events.off(event, listener),
  };
}
