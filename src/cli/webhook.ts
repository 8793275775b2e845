import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { ApiError, signDelivery } from '../api/client.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { Cli } from './cli.ts';
import type { Configure } from './commands.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { table } from './output/table.ts';
import { taskView } from './output/task-view.ts';
import { relative } from './output/time.ts';
import { cleanLine } from './output/untrusted.ts';
import { collect } from './pages.ts';
import { repository } from './parse.ts';

interface TestOptions {
  secretFile: string;
  repo?: string;
  task?: string;
}

export const configure: Configure = (command, act) => {
  command
    .command('create')
    .description('make a webhook; its secret is shown this once')
    .requiredOption('--name <text>', 'who sends')
    .action(
      act(async (cli, options: { name: string }) => {
        const created = await (await cli.client()).createWebhook(options);
        cli.printJson(created);
        cli.print(created.secret);
        if (!cli.json)
          cli.note(
            `Webhook ${created.webhook_id}. The secret is not shown again: give it to the sender, who signs with it.`,
          );
        return EXIT.ok;
      }),
    );
  command
    .command('list')
    .description('list webhooks, without their secrets')
    .action(
      act(async (cli) => {
        const client = await cli.client();
        const webhooks = await collect((page) => client.listWebhooks(page));
        cli.printJson(webhooks);
        const now = cli.now();
        const columns = [
          { title: 'webhook', value: ({ webhook_id }) => webhook_id },
          { title: 'name', value: ({ name }) => name, flexible: true },
          { title: 'user', value: ({ user_id }) => user_id },
          {
            title: 'used',
            value: ({ last_used_at }) => (last_used_at ? relative(last_used_at, now) : 'never'),
          },
          { title: 'state', value: ({ revoked_at }) => (revoked_at ? 'revoked' : 'active') },
        ] satisfies Parameters<typeof table<(typeof webhooks)[number]>>[1];
        cli.print(
          webhooks.length === 0
            ? `No webhooks. Make one: ${cli.program} webhook create --name <who sends>`
            : table(webhooks, columns, { width: cli.width, title: cli.style.dim }),
        );
        return EXIT.ok;
      }),
    );
  command
    .command('revoke')
    .description('end a webhook at once')
    .argument('<webhook id>', 'as `webhook list` shows it')
    .action(
      act(async (cli, webhookId: string) => {
        const revoked = await (await cli.client()).revokeWebhook(webhookId);
        cli.printJson(revoked);
        cli.print(`Revoked ${cleanLine(webhookId)}.`);
        return EXIT.ok;
      }),
    );
  command
    .command('test')
    .description('sign a request as the sender would, and see what the platform says')
    .argument('<webhook id>', 'as `webhook list` shows it')
    .requiredOption('--secret-file <file>', 'file that holds the secret; `-` reads standard input')
    .option(
      '--repo <repo>',
      'submit a task to this repository; without it only the signature is tried',
      repository,
    )
    .option('--task <text>', 'what the task is to do')
    .action(act((cli, webhookId: string, options: TestOptions) => test(cli, webhookId, options)));
};

async function test(cli: Cli, webhookId: string, options: TestOptions): Promise<ExitCode> {
  if ((options.repo === undefined) !== (options.task === undefined))
    throw new BgAgentError('VALIDATION_ERROR', '--repo and --task go together', { field: 'repo' });
  const secret = await readSecret(options.secretFile);
  if (secret === '')
    throw new BgAgentError('VALIDATION_ERROR', '--secret-file: there is nothing in it', {
      field: 'secret_file',
    });
  const client = await cli.client();
  // Without a task the body is refused, but only after its signature is known.
  const body = JSON.stringify(
    options.repo === undefined ? {} : { repo: options.repo, task_description: options.task },
  );
  const signature = await signDelivery({ webhookId, secret, body, timestampMs: cli.now() });
  try {
    const { task } = await client.deliver(signature, body);
    cli.printJson(task);
    cli.print(taskView(task, cli.style, cli.now()));
  } catch (error) {
    const signed =
      error instanceof ApiError && error.code === 'VALIDATION_ERROR' && options.repo === undefined;
    if (!signed) throw error;
    cli.printJson({ webhook_id: webhookId, signature_accepted: true });
    cli.print('The signature is accepted. With --repo and --task it becomes a task.');
  }
  return EXIT.ok;
}

async function readSecret(file: string): Promise<string> {
  try {
    return (file === '-' ? await text(process.stdin) : await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new BgAgentError('VALIDATION_ERROR', `--secret-file: ${messageOf(error)}`, {
      field: 'secret_file',
      cause: error,
    });
  }
}
