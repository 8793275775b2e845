import { loadSettings } from '../config/load.ts';
import type { Inspection } from '../entry/inspect.ts';
import type { Cli } from './cli.ts';
import type { Configure } from './commands.ts';
import { awsChecks, type Check, machineChecks, platformCheck } from './doctor-checks.ts';
import { githubChecks } from './doctor-github.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { cleanLine } from './output/untrusted.ts';

export const configure: Configure = (command, act) => {
  command
    .addHelpText('after', '\nExit code 1 when something must be mended; a warning alone is 0.')
    .action(act((cli) => doctor(cli)));
};

async function doctor(cli: Cli): Promise<ExitCode> {
  const { environment, dataDir } = cli;
  const settings = await loadSettings({ environment, dataDir });
  const { inspectMachine } = await import('../entry/inspect.ts');
  const { inspectAws } = await import('../entry/aws-checks.ts');
  const inspection: Inspection = await inspectMachine({ dataDir, environment: environment.inherited });
  const checks = [
    ...machineChecks({ inspection, settings, dataDir, nodeVersion: process.versions.node }),
    ...environment.unknown.map(
      (name): Check => ({
        name: 'variable',
        state: 'warn',
        detail: `${name} means nothing`,
        remedy: 'Is it misspelt?',
      }),
    ),
    ...(await githubChecks(cli)),
    ...awsChecks(await inspectAws(settings)),
    await platformCheck(cli),
  ];
  cli.printJson({ checks, inspection });
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, state, detail, remedy } of checks) {
    const mark = { ok: cli.style.good('ok  '), warn: cli.style.warn('warn'), fail: cli.style.bad('FAIL') }[
      state
    ];
    cli.print(`${mark}  ${name.padEnd(width)}  ${cleanLine(detail)}`);
    if (remedy !== null) cli.print(`${' '.repeat(width + 8)}${cli.style.dim(`-> ${remedy}`)}`);
  }
  return checks.some(({ state }) => state === 'fail') ? EXIT.failed : EXIT.ok;
}
