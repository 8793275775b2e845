import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import type { SpawnedProcess, SpawnOptions } from '@anthropic-ai/claude-agent-sdk';
import { messageOf } from '../../../task/errors.ts';
import type { AgentInput, AgentProcess } from '../agent.ts';
import { commandLineOf } from '../command-line.ts';
import { createLines } from '../lines.ts';

/** The SDK's program in the sandbox, shown to the SDK as a child process. It starts as soon as this is made. */
export class SandboxedProcess extends EventEmitter implements SpawnedProcess {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  killed = false;
  exitCode: number | null = null;
  /** Resolves when nothing of the program is left; rejects when it could not be started. */
  readonly ended: Promise<void>;
  readonly #lines = createLines();
  #agent: AgentProcess | undefined;

  constructor(request: Pick<SpawnOptions, 'command' | 'args' | 'env'>, start: AgentInput['start']) {
    super();
    // An error that nobody listens for any more would end the runner.
    this.on('error', () => undefined);
    this.#lines.on('error', (error) => this.#giveUp(error));
    this.#lines.pipe(this.stdout);
    this.ended = this.#run(request, start);
    this.ended.catch((error: unknown) => {
      this.exitCode = 1;
      this.#giveUp(error instanceof Error ? error : new Error(messageOf(error)));
    });
  }

  kill(): boolean {
    this.killed = true;
    this.#agent?.kill();
    return true;
  }

  async #run(
    { command, args, env }: Pick<SpawnOptions, 'command' | 'args' | 'env'>,
    start: AgentInput['start'],
  ): Promise<void> {
    const environment = Object.fromEntries(
      Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const { stdin } = this;
    this.#agent = await start(commandLineOf(command, args), environment, { stdin, stdout: this.#lines });
    if (this.killed) this.#agent.kill();
    const { code, signal } = await this.#agent.ended;
    this.#lines.end();
    this.exitCode = code ?? 1;
    this.emit('exit', code, signal);
  }

  #giveUp(error: Error): void {
    this.emit('error', error);
    this.stdout.end();
    this.kill();
  }
}
