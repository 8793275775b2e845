import { type Client, createClient, type TaskDetail } from '../api/client.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Cli } from './cli.ts';
import type { Configure } from './commands.ts';
import { DEMO_COMMAND, DEMO_TASK } from './demo-agent.ts';
import { createPrivatePlatform, type PrivatePlatform } from './demo-platform.ts';
import { createDemoTarget } from './demo-target.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { followTask } from './follow.ts';
import { diffView } from './output/diff-view.ts';
import { createStyle } from './output/style.ts';
import { pairs } from './output/table.ts';
import { endView, statusLine, timingsView } from './output/task-view.ts';
import { cleanLine } from './output/untrusted.ts';
import { repository } from './parse.ts';

interface Options {
  repo?: string;
  task?: string;
  agent?: string;
  agentCommand?: string;
  json?: boolean;
  keep?: boolean;
  allowUnsandboxed?: boolean;
}

const DIFF_LINES = 24;

export const configure: Configure = (command, act) => {
  command
    .option('--repo <repo>', 'work on this git URL or path instead of a copy of bgagent itself', repository)
    .option('--task <text>', 'what to do there')
    .option('--agent <name>', 'the coding agent that does it')
    .option(
      '--agent-command <line>',
      'the command that does it, by sh -c in the workspace; the task is in a file',
    )
    .option('--json', 'end with one line of JSON on standard output')
    .option('--keep', 'leave the platform running and keep its folder')
    .option('--allow-unsandboxed', 'run the agent even where no sandbox can be had')
    .action(act((cli, options: Options) => demo(cli, options)));
};

async function demo(cli: Cli, options: Options): Promise<ExitCode> {
  const own = options.agent === undefined && options.agentCommand === undefined;
  if (own && options.task !== undefined) {
    throw new BgAgentError(
      'VALIDATION_ERROR',
      '--task needs who does it: --agent-command "<command line>" or --agent <name>',
      { field: 'task' },
    );
  }
  const screen = screenOf(cli, options);
  const platform = await createPrivatePlatform(cli, {
    default_agent: options.agent ?? 'command',
    default_agent_command: options.agentCommand ?? (own ? DEMO_COMMAND : null),
    ...(own || options.allowUnsandboxed ? { sandbox: 'preferred' } : {}),
  });
  try {
    screen.print(
      `${screen.style.bold('bgagent demo')}: one task from start to end, on a private platform.\n`,
    );
    const { apiUrl, apiKey, target } = await setUp(cli, platform, options);
    const description = options.task ?? DEMO_TASK;
    screen.print(
      `${pairs(
        [
          ['platform', `${apiUrl}, everything in ${platform.folder}`],
          ['target', `${cleanLine(target.repo)} (${target.origin})`],
          ['task', cleanLine(description)],
          [
            'agent',
            own
              ? 'a fixed command: no model, no account'
              : cleanLine(options.agentCommand ?? options.agent ?? ''),
          ],
        ],
        { label: screen.style.dim },
      )}\n`,
    );
    if (own) await warnWithoutSandbox(screen, platform);
    const client = createClient({ apiUrl, apiKey, signal: cli.signal });
    const { task } = await client.createTask({ repo: target.repo, task_description: description });
    platform.drives(task.task_id);
    const ended = await followTask(screen, client, task);
    await report(screen, client, ended, { fetch: options.keep === true || options.repo !== undefined });

    const pid = options.keep ? await platform.leaveRunning() : undefined;
    if (pid === undefined) await platform.remove();
    screen.print(`\n${farewell(platform, apiUrl, pid)}`);
    if (options.json || cli.json) cli.write(`${JSON.stringify(resultOf(ended, platform, apiUrl, pid))}\n`);
    return ended.status === 'COMPLETED' ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (cli.signal.aborted) cli.note('\nStopping the task and the platform …');
    await platform.remove();
    throw error;
  }
}

/** Where progress goes: with --json standard output is left to the one line at the end. */
function screenOf(cli: Cli, options: Options): Cli {
  if (!options.json && !cli.json) return cli;
  return {
    ...cli,
    json: false,
    terminal: false,
    width: undefined,
    style: createStyle(false),
    print: cli.note,
    printJson: () => undefined,
  };
}

/** Platform and target side by side; both have ended, well or not, when it returns. */
async function setUp(cli: Cli, platform: PrivatePlatform, { repo }: Options) {
  const [started, target] = await Promise.allSettled([
    import('../entry/server.ts').then(({ startPlatform }) => platform.start(startPlatform)),
    repo === undefined
      ? createDemoTarget(`${platform.folder}/target`, cli.signal)
      : { repo, origin: 'yours' },
  ]);
  cli.signal.throwIfAborted();
  if (started.status === 'rejected') throw started.reason;
  if (target.status === 'rejected') throw target.reason;
  return { ...started.value, target: target.value };
}

/** Our own command may run without one; every other agent is refused, which its task then says. */
async function warnWithoutSandbox(screen: Cli, { dataDir }: PrivatePlatform): Promise<void> {
  const { inspectMachine } = await import('../entry/inspect.ts');
  const { sandbox, sandboxProblem } = await inspectMachine({
    dataDir,
    environment: screen.environment.inherited,
  });
  if (sandbox.available && sandboxProblem === null) return;
  const why = sandbox.available ? sandboxProblem : `to have one: ${sandbox.remedy}`;
  screen.print(
    `${screen.style.warn('There is no sandbox here')} (${cleanLine(why ?? '')}).\n` +
      "The demo's own command runs without one; other agents would be refused.\n",
  );
}

async function report(
  screen: Cli,
  client: Client,
  task: TaskDetail,
  shown: { fetch: boolean },
): Promise<void> {
  const { style } = screen;
  screen.print(`\n${statusLine(task, style)}\n${endView(task, style, shown)}`);
  if (task.head_sha) {
    const lines = diffView((await client.getDiff(task.task_id)).diff, style)
      .trimEnd()
      .split('\n');
    const more = lines.length > DIFF_LINES ? [style.dim(`… ${lines.length - DIFF_LINES} more lines`)] : [];
    screen.print(`\n${[...lines.slice(0, DIFF_LINES), ...more].join('\n')}`);
  }
  screen.print(`\n${timingsView(task.timings, totalMs(task), style)}`);
}

function farewell({ folder, dataDir }: PrivatePlatform, apiUrl: string, pid: number | undefined): string {
  if (pid === undefined) {
    return 'Everything is stopped and removed. To look around in it: npm run demo -- --keep';
  }
  return [
    `The platform runs on at ${apiUrl} as process ${pid}:`,
    `  look around   bgagent --data-dir ${dataDir} events latest`,
    `  stop it       kill ${pid}`,
    `  remove it     rm -r ${folder}`,
  ].join('\n');
}

const resultOf = (
  task: TaskDetail,
  { dataDir }: PrivatePlatform,
  apiUrl: string,
  pid: number | undefined,
) => ({
  task_id: task.task_id,
  status: task.status,
  outcome: task.outcome,
  repo: task.repo,
  branch_name: task.branch_name,
  head_sha: task.head_sha,
  files_changed: task.diff_stat?.files_changed ?? 0,
  timings: task.timings,
  duration_ms: totalMs(task),
  data_dir: dataDir,
  api_url: apiUrl,
  error: task.error_classification,
  pid: pid ?? null,
});

const totalMs = ({ created_at, completed_at }: TaskDetail): number =>
  completed_at === null ? 0 : Date.parse(completed_at) - Date.parse(created_at);
