import { once } from 'node:events';
import { InvalidArgumentError } from 'commander';
import { loadSettings } from '../config/load.ts';
import type { Cli } from './cli.ts';
import type { Configure } from './commands.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { wholeNumber } from './parse.ts';
import { platformLog } from './platform-log.ts';

interface Options {
  host?: string;
  port?: number;
}

export const configure: Configure = (command, act) => {
  command
    .option('--host <address>', 'address to listen on (setting `host`: 127.0.0.1)')
    .option('--port <number>', 'port to listen on, 0 for any free one (setting `port`: 7788)', port)
    .addHelpText(
      'after',
      '\nRuns until Ctrl-C or SIGTERM. Agents at work go on meanwhile and are found again at the next start.',
    )
    .action(act((cli, options: Options) => up(cli, options)));
};

async function up(cli: Cli, { host, port }: Options): Promise<ExitCode> {
  const { environment, dataDir } = cli;
  for (const name of environment.unknown) cli.note(`${cli.paintNote('warn', 'unknown variable')} ${name}`);
  const settings = await loadSettings({
    environment,
    dataDir,
    flags: { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) },
  });
  const { startPlatform } = await import('../entry/server.ts');
  const platform = await startPlatform({
    dataDir,
    settings,
    runnerEnvironment: environment.inherited,
    environmentSecrets: environment.secrets,
    log: platformLog(cli, settings.log_level),
  });
  cli.printJson({ api_url: platform.apiUrl, data_dir: dataDir, pid: process.pid });
  cli.print(
    `bgagent is ready at ${platform.apiUrl} (data in ${dataDir}; Ctrl-C stops it, agents at work go on)`,
  );
  if (!cli.signal.aborted) await once(cli.signal, 'abort');
  await platform.close();
  return EXIT.ok;
}

function port(text: string): number {
  const value = wholeNumber(text);
  if (value > 65_535) throw new InvalidArgumentError('It must be from 0 to 65535.');
  return value;
}
