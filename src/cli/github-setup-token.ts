import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { GitHubSetup } from '../entry/github-setup.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Cli } from './cli.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { printChecks } from './github-checks.ts';
import { cleanLine } from './output/untrusted.ts';

/** Where a token comes from: never from an argument, which others on the machine can see. */
export type TokenSource = (cli: Cli) => Promise<string>;

const MAX_LENGTH = 500;

/** Takes a token, says what it may do, and stores it: its rights can be changed on GitHub without a new one. */
export async function setUpToken(
  cli: Cli,
  setup: GitHubSetup,
  { repo }: { repo?: string },
  readToken: TokenSource = askForToken,
): Promise<ExitCode> {
  const token = (await readToken(cli)).trim();
  if (token === '' || token.length > MAX_LENGTH || /[^\x21-\x7e]/.test(token))
    throw new BgAgentError(
      'VALIDATION_ERROR',
      'token: give one line with a token of GitHub on standard input',
      {
        field: 'token',
      },
    );
  const access = await setup.checkToken(token, repo ?? null);
  await setup.storeToken(token);
  cli.printJson({ stored: true, ...access });
  const end = access.expiresAt === null ? '' : `, good until ${access.expiresAt.slice(0, 10)}`;
  cli.print(`Stored the ${access.kind} token of ${cleanLine(access.login)}${end}.`);
  const complete = printChecks(cli, access.checks);
  if (complete) return EXIT.ok;
  cli.print(
    'Give the token what is missing on GitHub (Settings, Developer settings); it stays the same token.',
  );
  return EXIT.failed;
}

async function askForToken(cli: Cli): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).slice(0, MAX_LENGTH + 2);
  cli.note('A fine-grained token needs, for the repositories to work on:');
  cli.note('  Contents: Read and write, Pull requests: Read and write, Issues: Read and write');
  cli.note('A classic one needs the scope repo. It is not shown while you paste it.');
  cli.note('Token: ');
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await terminal.question('', { signal: cli.signal });
  } finally {
    terminal.close();
  }
}
