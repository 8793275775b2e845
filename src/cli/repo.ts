import type { Command } from 'commander';
import type { PutRepoRequest, RepoDetail } from '../api/client.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Cli } from './cli.ts';
import type { Act, Configure } from './commands.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { pairs, table } from './output/table.ts';
import { relative } from './output/time.ts';
import { cleanLine } from './output/untrusted.ts';
import { collect } from './pages.ts';
import { json, list, number, repository, wholeNumber } from './parse.ts';

/** Options of `add` and `set` by the setting they give. */
interface Options {
  compute?: string;
  instanceType?: string;
  agent?: string;
  agentCommand?: string;
  model?: string;
  maxTurns?: number;
  maxBudget?: number;
  systemPrompt?: string;
  setup?: string;
  build?: string;
  lint?: string;
  test?: string;
  egress?: string[];
  prLabels?: string[];
  prReviewers?: string[];
  notifications?: Record<string, unknown>;
  tokenSecret?: string;
  deadline?: number;
  unset?: string[];
}

const CLEARABLE = [
  'instance_type',
  'agent',
  'agent_command',
  'model_id',
  'max_turns',
  'max_budget_usd',
  'system_prompt_overrides',
  'setup_command',
  'build_command',
  'lint_command',
  'test_command',
  'token_secret',
  'deadline_s',
] as const satisfies (keyof PutRepoRequest)[];

export const configure: Configure = (command, act) => {
  withSettings(command.command('add').description('onboard a repository'), act);
  withSettings(command.command('set').description('change the settings of a repository'), act).option(
    '--unset <settings>',
    `back to the platform's default: ${CLEARABLE.join(', ')}`,
    list,
  );
  command
    .command('list')
    .description('list onboarded repositories')
    .action(act((cli) => listRepos(cli)));
  command
    .command('show')
    .description('show the settings of a repository')
    .argument('<repo>', 'owner/name, git URL or path', repository)
    .action(act(async (cli, repo: string) => show(cli, await (await cli.client()).getRepo(repo))));
  command
    .command('remove')
    .description('take no more tasks for a repository')
    .argument('<repo>', 'owner/name, git URL or path', repository)
    .action(
      act(async (cli, repo: string) => {
        const removed = await (await cli.client()).removeRepo(repo);
        cli.printJson(removed);
        cli.print(`Removed ${cleanLine(repo)}: it takes no more tasks.`);
        return EXIT.ok;
      }),
    );
};

function withSettings(command: Command, act: Act): Command {
  return command
    .argument('<repo>', 'owner/name, git URL or path', repository)
    .option('--agent <name>', 'the coding agent of its tasks')
    .option('--agent-command <line>', 'what the `command` agent runs, by sh -c in the workspace')
    .option('--model <id>', 'the model its agents use')
    .option('--max-turns <number>', 'turns an agent may take', wholeNumber)
    .option('--max-budget <usd>', 'what an agent may cost', number)
    .option('--system-prompt <text>', 'what every agent is told about this repository')
    .option('--setup <line>', 'run before the agent starts')
    .option('--build <line>', 'run before and after the work; a regression is said')
    .option('--lint <line>', 'like --build')
    .option('--test <line>', 'like --build')
    .option('--egress <hosts>', 'hosts its agents may reach besides the defaults', list)
    .option('--pr-labels <labels>', 'labels of the pull requests that are opened', list)
    .option('--pr-reviewers <names>', 'who is asked to review them: users, or teams as org/team', list)
    .option(
      '--notifications <json>',
      'who hears of its tasks, by channel: {"slack": {"channel": "T…/C…"}}',
      json,
    )
    .option('--token-secret <name>', 'name of the secret to clone and push with')
    .option('--deadline <seconds>', 'longest run of a task', wholeNumber)
    .option('--compute <type>', 'the backend its tasks run on')
    .option('--instance-type <type>', 'the kind of machine, where the backend has several')
    .action(
      act(async (cli, repo: string, options: Options) =>
        show(cli, await (await cli.client()).putRepo(repo, settingsOf(options))),
      ),
    );
}

function settingsOf(options: Options): PutRepoRequest {
  const unknown = options.unset?.find((name) => !CLEARABLE.some((known) => known === name));
  if (unknown !== undefined) {
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `--unset: no setting "${unknown}"; there are ${CLEARABLE.join(', ')}`,
      {
        field: 'unset',
      },
    );
  }
  const given: PutRepoRequest = {
    compute_type: options.compute,
    instance_type: options.instanceType,
    agent: options.agent,
    agent_command: options.agentCommand,
    model_id: options.model,
    max_turns: options.maxTurns,
    max_budget_usd: options.maxBudget,
    system_prompt_overrides: options.systemPrompt,
    setup_command: options.setup,
    build_command: options.build,
    lint_command: options.lint,
    test_command: options.test,
    egress_allowlist: options.egress,
    pr_labels: options.prLabels,
    pr_reviewers: options.prReviewers,
    notifications: options.notifications,
    token_secret: options.tokenSecret,
    deadline_s: options.deadline,
  };
  return { ...given, ...Object.fromEntries((options.unset ?? []).map((name) => [name, null])) };
}

async function listRepos(cli: Cli): Promise<ExitCode> {
  const client = await cli.client();
  const repos = await collect((page) => client.listRepos(page));
  cli.printJson(repos);
  cli.print(
    repos.length === 0
      ? `No repositories yet. A path or git URL is onboarded on first use; others: ${cli.program} repo add <owner/name>`
      : table(
          repos,
          [
            { title: 'repo', value: ({ repo }) => repo },
            { title: 'status', value: ({ status }) => status },
            { title: 'agent', value: ({ agent }) => agent ?? '' },
            { title: 'compute', value: ({ compute_type }) => compute_type },
            { title: 'changed', value: ({ updated_at }) => relative(updated_at, cli.now()) },
          ],
          { width: cli.width, title: cli.style.dim },
        ),
  );
  return EXIT.ok;
}

function show(cli: Cli, repo: RepoDetail): ExitCode {
  cli.printJson(repo);
  const entries = Object.entries(repo).map(
    ([name, value]) =>
      [
        name,
        Array.isArray(value) ? value.join(', ') : value === null ? null : cleanLine(String(value)),
      ] as const,
  );
  cli.print(pairs(entries, { label: cli.style.dim }));
  return EXIT.ok;
}
