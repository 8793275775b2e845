import { createInterface } from 'node:readline/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { GitHubSetup } from '../entry/github-setup.ts';
import type { Cli } from './cli.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { printChecks } from './github-checks.ts';
import { cleanLine } from './output/untrusted.ts';

export interface AppOptions {
  repo?: string;
  organization?: string;
  name: string;
  webhookUrl?: string;
}

/** How long the installation is waited for. Everything is stored by then, so leaving early loses nothing. */
const INSTALL_WAIT_MS = 10 * 60_000;

/** Leads through GitHub's pages: make the App, store its key, install it, and look what it may do. */
export async function setUpApp(
  cli: Cli,
  setup: GitHubSetup,
  { repo, organization, name, webhookUrl }: AppOptions,
  { pollMs = 3_000, waitMs = INSTALL_WAIT_MS }: { pollMs?: number; waitMs?: number } = {},
): Promise<ExitCode> {
  const page = await setup.makeApp({
    name,
    organization: organization ?? null,
    webhookUrl: webhookUrl ?? null,
  });
  let code: string;
  try {
    cli.note(`Open this page in a browser of this machine: ${page.url}`);
    cli.note('(From another machine: ssh -L <port>:127.0.0.1:<port>, with the port of the address.)');
    code = await Promise.race([page.code, pastedCode(cli), aborted(cli.signal)]);
  } finally {
    await page.close();
  }
  const app = await setup.storeApp(code);
  cli.print(
    `The GitHub App ${cleanLine(app.slug)} (${app.id}) is set up; its key is in the secrets of this machine.`,
  );
  cli.print('A platform that runs uses it from its next start.');
  cli.note(`Install it on your repositories: ${cleanLine(`${app.url}/installations/new`)}`);

  const deadline = cli.now() + waitMs;
  let access = await setup.checkStoredApp(repo ?? null);
  while (access?.checks.every(({ ok, what }) => !ok && what === repo) && cli.now() < deadline) {
    await delay(pollMs, undefined, { signal: cli.signal });
    access = await setup.checkStoredApp(repo ?? null);
  }
  const checks = access?.checks ?? [];
  cli.printJson({ app_id: app.id, slug: app.slug, url: app.url, checks });
  if (checks.length === 0) cli.print('It is not installed anywhere yet; `bgagent doctor` looks again.');
  return printChecks(cli, checks) && checks.length > 0 ? EXIT.ok : EXIT.failed;
}

/** Where the browser can't come back to this machine, its last address (or the code in it) is pasted instead. */
async function pastedCode(cli: Cli): Promise<string> {
  if (!process.stdin.isTTY) return new Promise(() => undefined);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question('Or paste the address that the browser ends at: ', {
      signal: cli.signal,
    });
    return URL.parse(answer.trim())?.searchParams.get('code') ?? answer.trim();
  } finally {
    terminal.close();
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new DOMException('interrupted', 'AbortError')), {
      once: true,
    });
  });
