import { text } from 'node:stream/consumers';
import { Option } from 'commander';
import type { CreateTaskRequest } from '../api/client.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Cli } from './cli.ts';
import type { Configure } from './commands.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { watchToEnd } from './follow.ts';
import { taskView } from './output/task-view.ts';
import { number, repository, wholeNumber } from './parse.ts';

interface Options {
  repo: string;
  task?: string;
  issue?: number;
  pr?: number;
  reviewPr?: number;
  workflow?: string;
  agent?: string;
  model?: string;
  maxTurns?: number;
  maxBudget?: number;
  idempotencyKey?: string;
  trace?: boolean;
  wait?: boolean;
}

export const configure: Configure = (command, act) => {
  command
    .requiredOption(
      '--repo <repo>',
      'owner/name, a git URL, or a path on the machine of the platform',
      repository,
    )
    .option('--task <text>', 'what to do, in words (`-` reads it from standard input)')
    .option('--issue <number>', 'work on this issue', wholeNumber)
    .option('--pr <number>', 'work on this pull request: its review comments are the input', wholeNumber)
    .addOption(
      new Option('--review-pr <number>', 'review this pull request; nothing is pushed')
        .argParser(wholeNumber)
        .conflicts('pr'),
    )
    .option(
      '--workflow <reference>',
      'the kind of work: an id or alias, such as coding/new-task-v1 or pr_review',
    )
    .option('--agent <name>', 'the coding agent')
    .option('--model <id>', 'the model the agent uses')
    .option('--max-turns <number>', 'turns the agent may take, 1 to 500', wholeNumber)
    .option('--max-budget <usd>', 'what the agent may cost, 0.01 to 100', number)
    .option('--idempotency-key <key>', 'the same key with the same request is the same task')
    .option('--trace', 'keep a trace')
    .option('--wait', 'follow the task until it ends')
    .action(act((cli, options: Options) => submit(cli, options)));
};

async function submit(cli: Cli, options: Options): Promise<ExitCode> {
  const client = await cli.client();
  const request = await requestOf(options);
  const { task, replayed } = await client.createTask(request, { idempotencyKey: options.idempotencyKey });
  if (replayed) cli.note('The same request was made before under this key: this is its task.');
  if (options.wait) return watchToEnd(cli, client, task);
  cli.printJson(task);
  cli.print(taskView(task, cli.style, cli.now()));
  cli.print(cli.style.dim(`\nFollow it: ${cli.program} watch ${task.task_id}`));
  return EXIT.ok;
}

async function requestOf(options: Options): Promise<CreateTaskRequest> {
  const description = options.task === '-' ? await text(process.stdin) : options.task;
  if (
    description === undefined &&
    options.workflow === undefined &&
    options.issue === undefined &&
    (options.pr ?? options.reviewPr) === undefined
  ) {
    throw new BgAgentError('VALIDATION_ERROR', 'say what to do: --task "…", --issue, --pr or --review-pr', {
      field: 'task',
    });
  }
  return {
    repo: options.repo,
    task_description: description ?? null,
    issue_number: options.issue ?? null,
    pr_number: options.pr ?? options.reviewPr ?? null,
    workflow_ref: options.workflow ?? workflowOf(options),
    agent: options.agent ?? null,
    model_id: options.model ?? null,
    max_turns: options.maxTurns ?? null,
    max_budget_usd: options.maxBudget ?? null,
    trace: options.trace ?? null,
  };
}

const workflowOf = ({ pr, reviewPr }: Options): string | null =>
  reviewPr === undefined ? (pr === undefined ? null : 'pr_iteration') : 'pr_review';
