import type { GitHubSetup } from '../entry/github-setup.ts';
import type { Cli } from './cli.ts';
import { cleanLine } from './output/untrusted.ts';

type Checks = Awaited<ReturnType<GitHubSetup['checkToken']>>['checks'];

/** A line for each thing that is needed; whether nothing is missing. */
export function printChecks(cli: Cli, checks: Checks): boolean {
  for (const { what, ok, detail } of checks) {
    const mark = ok === null ? cli.style.warn('?   ') : ok ? cli.style.good('ok  ') : cli.style.bad('FAIL');
    cli.print(`${mark}  ${cleanLine(what)}: ${cleanLine(detail)}`);
  }
  return checks.every(({ ok }) => ok !== false);
}
