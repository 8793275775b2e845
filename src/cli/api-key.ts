import { InvalidArgumentError } from 'commander';
import { API_KEY_SCOPES, type ApiKeyScope } from '../api/client.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { table } from './output/table.ts';
import { relative } from './output/time.ts';
import { cleanLine } from './output/untrusted.ts';
import { collect } from './pages.ts';
import { list } from './parse.ts';

interface CreateOptions {
  name: string;
  scopes: string[];
  expires?: string;
  user?: string;
}

export const configure: Configure = (command, act) => {
  command
    .command('create')
    .description('make a key; it is shown this once')
    .requiredOption('--name <text>', 'what it is for')
    .option('--scopes <list>', `what it may do: ${API_KEY_SCOPES.join(', ')}`, list, [])
    .option(
      '--expires <when>',
      'when it ends by itself: 90d, or 2030-12-31 (UTC); never without this',
      expiry,
    )
    .option('--user <id>', 'whose key it is (admins only; your own otherwise)')
    .action(
      act(async (cli, options: CreateOptions) => {
        const client = await cli.client();
        const created = await client.createApiKey({
          name: options.name,
          scopes: scopesOf(options.scopes),
          ...(options.expires ? expiryFields(options.expires) : {}),
          user_id: options.user ?? null,
        });
        cli.printJson(created);
        cli.print(created.key);
        if (!cli.json)
          cli.note(`Key ${created.key_id}. It is not shown again: keep it where only you can read it.`);
        return EXIT.ok;
      }),
    );
  command
    .command('list')
    .description('list keys, without their secrets')
    .action(
      act(async (cli) => {
        const client = await cli.client();
        const keys = await collect((page) => client.listApiKeys(page));
        cli.printJson(keys);
        const now = cli.now();
        cli.print(
          table(
            keys,
            [
              { title: 'key', value: ({ key_id }) => key_id },
              { title: 'name', value: ({ name }) => name },
              { title: 'user', value: ({ user_id }) => user_id },
              { title: 'scopes', value: ({ scopes }) => scopes.join(','), flexible: true },
              {
                title: 'used',
                value: ({ last_used_at }) => (last_used_at ? relative(last_used_at, now) : 'never'),
              },
              { title: 'state', value: (key) => stateOf(key, now) },
            ],
            { width: cli.width, title: cli.style.dim },
          ),
        );
        return EXIT.ok;
      }),
    );
  command
    .command('revoke')
    .description('end a key at once')
    .argument('<key id>', 'as `api-key list` shows it')
    .action(
      act(async (cli, keyId: string) => {
        const revoked = await (await cli.client()).revokeApiKey(keyId);
        cli.printJson(revoked);
        cli.print(`Revoked ${cleanLine(keyId)}.`);
        return EXIT.ok;
      }),
    );
};

const DAYS = /^(\d{1,4})d$/;
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/;

function expiry(text: string): string {
  if (DAYS.test(text) || (TIME.test(text) && !Number.isNaN(Date.parse(text)))) return text;
  throw new InvalidArgumentError('It must be days (90d), a day (2030-12-31) or a time (2030-12-31T12:00Z).');
}

function expiryFields(text: string): { expires_in_days: number } | { expires_at: string } {
  const days = DAYS.exec(text)?.[1];
  return days === undefined
    ? { expires_at: new Date(text).toISOString() }
    : { expires_in_days: Number(days) };
}

function scopesOf(names: readonly string[]): ApiKeyScope[] {
  if (names.length === 0) return ['tasks:read', 'tasks:write', 'tasks:cancel'];
  return names.map((name) => {
    const scope = API_KEY_SCOPES.find((known) => known === name);
    if (scope) return scope;
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `--scopes: no scope "${name}"; there are ${API_KEY_SCOPES.join(', ')}`,
      {
        field: 'scopes',
      },
    );
  });
}

function stateOf(key: { revoked_at: string | null; expires_at: string | null }, now: number): string {
  if (key.revoked_at) return 'revoked';
  if (key.expires_at === null) return 'active';
  return Date.parse(key.expires_at) <= now ? 'expired' : `ends ${relative(key.expires_at, now)}`;
}
