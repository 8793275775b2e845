import { readClientFile, writeClientFile } from '../config/client-file.ts';
import { editSettingsFile } from '../config/edit-settings.ts';
import { loadSettings } from '../config/load.ts';
import { readSettingsFile, settingsFileOf } from '../config/settings-file.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Cli } from './cli.ts';
import type { Configure } from './commands.ts';
import { askForSettings } from './configure-questions.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { table } from './output/table.ts';

interface Options {
  set: string[];
  unset: string[];
  show?: boolean;
}

const append = (text: string, before: readonly string[]): string[] => [...before, text];

export const configure: Configure = (command, act) => {
  command
    .option('--set <name=value>', 'write a setting to config.yaml (may be given several times)', append, [])
    .option('--unset <name>', 'take a setting out of config.yaml (may be given several times)', append, [])
    .option('--show', 'show every setting, its value and where it comes from')
    .addHelpText(
      'after',
      '\nWith --api-url and --api-key: remember that platform in client.json of the data folder.' +
        '\nWithout any of these it asks.',
    )
    .action(act((cli, options: Options) => run(cli, options)));
};

async function run(cli: Cli, options: Options): Promise<ExitCode> {
  const { apiUrl, apiKey } = cli.options;
  const remembers = apiUrl !== undefined || apiKey !== undefined;
  const edits = options.set.length + options.unset.length > 0;
  if (options.show) return show(cli);
  if (!remembers && !edits && !(cli.terminal && process.stdin.isTTY)) {
    throw new BgAgentError(
      'VALIDATION_ERROR',
      'there is nobody to ask here: give --set, --unset, --show, or --api-url and --api-key',
      {
        field: 'set',
      },
    );
  }
  const edit =
    remembers || edits ? { set: pairsOf(options.set), unset: options.unset } : await askForSettings(cli);
  const file = settingsFileOf(cli.dataDir);
  const changed = Object.keys(edit.set).length + edit.unset.length > 0;
  if (changed) await editSettingsFile(file, edit);
  if (remembers) await remember(cli);
  cli.printJson({ data_dir: cli.dataDir, settings: await readSettingsFile(file) });
  if (changed) cli.print(`Wrote ${file}. A platform that runs reads it at its next start.`);
  if (remembers) cli.print(`Commands now talk to ${(await readClientFile(cli.dataDir))?.api_url}.`);
  if (!changed && !remembers) cli.print('Nothing changed.');
  return EXIT.ok;
}

async function remember({ options, dataDir }: Cli): Promise<void> {
  const before = await readClientFile(dataDir);
  const apiUrl = options.apiUrl ?? before?.api_url;
  const apiKey = options.apiKey;
  if (apiUrl === undefined || apiKey === undefined) {
    throw new BgAgentError('VALIDATION_ERROR', 'give --api-url and --api-key together', { field: 'api_key' });
  }
  await writeClientFile(dataDir, { api_url: apiUrl, api_key: apiKey });
}

function pairsOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1)];
      throw new BgAgentError('VALIDATION_ERROR', `--set ${text}: it must be name=value`, { field: 'set' });
    }),
  );
}

async function show(cli: Cli): Promise<ExitCode> {
  const { environment, dataDir } = cli;
  const file = await readSettingsFile(settingsFileOf(dataDir));
  const settings = Object.entries(await loadSettings({ environment, dataDir })).map(([name, value]) => ({
    name,
    value,
    source: name in environment.settings ? 'environment' : name in file ? 'config.yaml' : 'default',
  }));
  cli.printJson(settings);
  cli.print(
    table(
      settings,
      [
        { title: 'setting', value: ({ name }) => name },
        { title: 'value', value: ({ value }) => (typeof value === 'string' ? value : JSON.stringify(value)) },
        {
          title: 'from',
          value: ({ source }) => source,
          paint: (cell, { source }) => (source === 'default' ? cli.style.dim(cell) : cell),
        },
      ],
      { width: cli.width, title: cli.style.dim },
    ),
  );
  return EXIT.ok;
}
