import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { text as readAll } from 'node:stream/consumers';
import { z } from 'zod';
import { editSettingsFile } from '../config/edit-settings.ts';
import { loadSettings } from '../config/load.ts';
import { settingsFileOf } from '../config/settings-file.ts';
import type { SlackSetup } from '../entry/slack-setup.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Cli } from './cli.ts';
import type { Configure } from './commands.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { cleanLine } from './output/untrusted.ts';

const credentialsSchema = z.object({
  client_id: z.string().regex(/^[0-9.]{3,60}$/, 'must be the Client ID, like 123.456'),
  client_secret: z.string().regex(/^\S{8,200}$/, 'must be the Client Secret'),
  signing_secret: z.string().regex(/^\S{8,200}$/, 'must be the Signing Secret'),
});

export const configure: Configure = (command, act) => {
  command
    .command('setup')
    .description('write the manifest of your Slack app, and say what to do with it')
    .option('--public-url <url>', 'address at which Slack reaches the platform (setting `public_url`)')
    .option('--manifest <file>', 'where to write the manifest', 'slack-manifest.json')
    .action(act((cli, options: { publicUrl?: string; manifest: string }) => setup(cli, options)));
  command
    .command('connect')
    .description('keep the secrets of the app, and print the link that installs it')
    .addHelpText(
      'after',
      '\nAsks at the terminal; else it reads {"client_id", "client_secret", "signing_secret"} as JSON from standard input.',
    )
    .action(act((cli) => connect(cli)));
  command
    .command('check')
    .description('look whether everything is there, and whether Slack knows the tokens')
    .action(act((cli) => check(cli)));
  command
    .command('link')
    .description('link your Slack account: prints a code to enter in Slack')
    .action(act((cli) => link(cli)));
};

async function setup(cli: Cli, options: { publicUrl?: string; manifest: string }): Promise<ExitCode> {
  const settings = await loadSettings({
    environment: cli.environment,
    dataDir: cli.dataDir,
    flags: options.publicUrl === undefined ? {} : { public_url: options.publicUrl },
  });
  if (settings.public_url === null)
    throw new BgAgentError(
      'VALIDATION_ERROR',
      '--public-url: give the address at which Slack reaches the platform',
      {
        field: 'public_url',
      },
    );
  if (options.publicUrl !== undefined) await remember(cli, { public_url: options.publicUrl });
  const manifest = (await open(cli)).manifest(settings.public_url);
  const file = resolve(options.manifest);
  await writeFile(file, `${JSON.stringify(manifest, null, 2)}\n`);
  cli.printJson({ manifest: file, public_url: settings.public_url });
  cli.print(
    [
      `Wrote ${file}. Now:`,
      '  1. Open https://api.slack.com/apps, "Create New App", "From a manifest", and paste the file.',
      '  2. Run `bgagent slack connect` with what the page "Basic Information" shows.',
      '  3. Start the platform (again), and open the link that `slack connect` printed.',
      '  4. `bgagent slack check` says whether all is well; `bgagent slack link` says who you are in Slack.',
    ].join('\n'),
  );
  return EXIT.ok;
}

async function connect(cli: Cli): Promise<ExitCode> {
  const given = credentialsSchema.safeParse(await credentials(cli));
  if (!given.success) {
    const [issue] = given.error.issues;
    const field = issue?.path.join('.') ?? '';
    throw new BgAgentError('VALIDATION_ERROR', `${field}: ${issue?.message ?? ''}`, { field });
  }
  const { client_id, client_secret, signing_secret } = given.data;
  await remember(cli, { slack_client_id: client_id });
  const slack = await open(cli);
  await slack.keep({ clientSecret: client_secret, signingSecret: signing_secret });
  const url = await slack.installLink();
  cli.printJson({ install_url: url });
  cli.print(`Kept. Start the platform (again), then open this within an hour to install the app:\n${url}`);
  return EXIT.ok;
}

async function check(cli: Cli): Promise<ExitCode> {
  const checks = await (await open(cli)).check();
  cli.printJson(checks);
  for (const { name, ok, detail, remedy } of checks) {
    cli.print(`${ok ? cli.style.good('ok  ') : cli.style.bad('FAIL')}  ${name}: ${cleanLine(detail)}`);
    if (remedy !== null) cli.print(`      ${cli.style.dim(`-> ${remedy}`)}`);
  }
  return checks.every(({ ok }) => ok) ? EXIT.ok : EXIT.failed;
}

async function link(cli: Cli): Promise<ExitCode> {
  const created = await (await cli.client()).createLinkCode('slack');
  cli.printJson(created);
  cli.print(`/bgagent link ${created.code}`);
  if (!cli.json)
    cli.note('Enter that in Slack within ten minutes: whoever does acts with the rights of your key.');
  return EXIT.ok;
}

async function open({ environment, dataDir }: Cli): Promise<SlackSetup> {
  const settings = await loadSettings({ environment, dataDir });
  const { openSlackSetup } = await import('../entry/slack-setup.ts');
  return openSlackSetup({ dataDir, settings, environmentSecrets: environment.secrets });
}

/** Text is YAML in the settings file: quoted, so that nothing becomes a number. */
const remember = ({ dataDir }: Cli, values: Record<string, string>): Promise<void> =>
  editSettingsFile(settingsFileOf(dataDir), {
    set: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, JSON.stringify(value)])),
    unset: [],
  });

async function credentials(cli: Cli): Promise<unknown> {
  if (!cli.terminal || !process.stdin.isTTY) {
    try {
      return JSON.parse(await readAll(process.stdin));
    } catch (error) {
      throw new BgAgentError('VALIDATION_ERROR', 'standard input: must be a JSON object', {
        cause: error,
        field: 'stdin',
      });
    }
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const ask = async (question: string): Promise<string> =>
      (await terminal.question(`${question}: `, { signal: cli.signal })).trim();
    return {
      client_id: await ask('Client ID'),
      client_secret: await ask('Client Secret'),
      signing_secret: await ask('Signing Secret'),
    };
  } finally {
    terminal.close();
  }
}
