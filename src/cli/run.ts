import { type Command, CommanderError } from 'commander';
import type { Environment } from '../config/environment.ts';
import type { Cli, GlobalOptions, Stream } from './cli.ts';
import { type Act, COMMANDS } from './commands.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { createStyle } from './output/style.ts';
import { commandNamed, createProgram } from './program.ts';

export interface RunOptions {
  args: readonly string[];
  /** Read only when a command runs: help needs none. Throws VALIDATION_ERROR. */
  environment: () => Promise<Environment>;
  stdout: Stream;
  stderr: Stream;
  /** Aborted by Ctrl-C and SIGTERM. */
  signal: AbortSignal;
  /** Milliseconds since the epoch. */
  now: () => number;
  version: string;
}

/** Runs one command line and says how the process ends. */
export async function runCli(run: RunOptions): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok;
  const act: Act =
    <Args extends unknown[]>(body: (cli: Cli, ...args: Args) => Promise<ExitCode | undefined>) =>
    async (...all: [...Args, Command]) => {
      const command = all.at(-1) as Command;
      exit = await perform(run, command, (cli) => body(cli, ...(all.slice(0, -1) as Args)));
    };

  const wanted = commandNamed(run.args);
  const program = await createProgram(COMMANDS, {
    version: run.version,
    act,
    load: ({ name }) => name === wanted,
    write: (text, error) => (error ? run.stderr : run.stdout).write(text),
  });
  try {
    if (run.args.length === 0) program.outputHelp();
    else await program.parseAsync(run.args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    if (asksForJson(run.args)) run.stdout.write(`${JSON.stringify(usageError(error))}\n`);
    return EXIT.usage;
  }
  return exit;
}

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();

const asksForJson = (args: readonly string[]): boolean => /(^| )--output[= ]json( |$)/.test(args.join(' '));

const usageError = ({ message }: CommanderError) => ({
  error: {
    code: 'VALIDATION_ERROR',
    message: message.replace(/^error: /, ''),
    remedy: '`bgagent --help` shows how it is used.',
    retryable: false,
    request_id: null,
  },
});

async function perform(
  run: RunOptions,
  command: Command,
  body: (cli: Cli) => Promise<ExitCode | undefined>,
): Promise<ExitCode> {
  let cli = createCli(run, command, undefined);
  try {
    cli = createCli(run, command, await run.environment());
    return (await body(cli)) ?? EXIT.ok;
  } catch (error) {
    const { reportFailure } = await import('./failure.ts');
    return reportFailure(cli, error);
  }
}

const NO_ENVIRONMENT: Environment = {
  dataDir: '',
  apiUrl: undefined,
  apiKey: undefined,
  settings: {},
  secrets: {},
  unknown: [],
  program: 'bgagent',
  noColor: true,
  inherited: {},
};

function createCli(run: RunOptions, command: Command, given: Environment | undefined): Cli {
  const options: GlobalOptions = command.optsWithGlobals();
  const environment = given ?? NO_ENVIRONMENT;
  const json = options.output === 'json';
  const terminal = run.stdout.isTTY === true;
  const noteStyle = createStyle(run.stderr.isTTY === true && !environment.noColor);
  const dataDir = options.dataDir ?? environment.dataDir;
  const write = (text: string): void => {
    run.stdout.write(text);
  };
  return {
    command: pathOf(command).replace(/^bgagent/, environment.program),
    program: environment.program,
    options,
    environment,
    dataDir,
    json,
    verbose: options.verbose === true,
    signal: run.signal,
    style: createStyle(terminal && !json && !environment.noColor),
    terminal,
    width: terminal ? run.stdout.columns : undefined,
    now: run.now,
    client: async () => {
      const { connect } = await import('./connect.ts');
      return connect({ options, environment, dataDir, signal: run.signal });
    },
    print: (text) => {
      if (!json) write(`${text}\n`);
    },
    printJson: (value) => {
      if (json) write(`${JSON.stringify(value)}\n`);
    },
    write,
    note: (text) => {
      run.stderr.write(`${text}\n`);
    },
    paintNote: (paint, text) => noteStyle[paint](text),
  };
}
