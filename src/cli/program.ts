import { Command, Option } from 'commander';
import type { Act, CommandEntry } from './commands.ts';

const GLOBAL_OPTIONS = [
  new Option('--api-url <url>', 'platform to talk to (BGAGENT_API_URL)'),
  new Option('--api-key <key>', 'key to show there (BGAGENT_API_KEY)'),
  new Option('--data-dir <folder>', 'where this machine keeps everything (BGAGENT_DATA_DIR)'),
  new Option('--output <format>', 'how results are printed').choices(['text', 'json']),
  new Option('--verbose', 'say more when something goes wrong'),
];

/** The root command with every command's name and summary; only those of `loaded` know their arguments. */
export async function createProgram(
  commands: readonly CommandEntry[],
  options: {
    version: string;
    act: Act;
    load(entry: CommandEntry): boolean;
    write(text: string, error: boolean): void;
  },
): Promise<Command> {
  const program = new Command('bgagent')
    .description('Background coding agents on your own machine: a submitted task becomes a verified branch.')
    .version(options.version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .addHelpCommand(
      new Command('help')
        .argument('[command]')
        .helpGroup('This machine')
        .description('show the help of a command'),
    )
    .usage('<command> [options]')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => options.write(text, false),
      writeErr: (text) => options.write(text, true),
    })
    .showHelpAfterError('(`bgagent --help` shows how it is used)')
    .exitOverride();
  for (const option of GLOBAL_OPTIONS) program.addOption(option);
  for (const entry of commands) {
    const command = program.command(entry.name).helpGroup(entry.group).description(entry.summary);
    if (options.load(entry)) (await entry.load()).configure(command, options.act);
  }
  return program;
}

/** The command that the arguments name: the first word that isn't an option or an option's value. */
export function commandNamed(args: readonly string[]): string | undefined {
  const takesValue = GLOBAL_OPTIONS.filter(({ required }) => required).map(({ long }) => long);
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? '';
    if (word === 'help') continue;
    if (!word.startsWith('-')) return word;
    if (takesValue.includes(word)) index += 1;
  }
  return undefined;
}
