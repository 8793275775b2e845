import type { TaskSummary } from '../api/client.ts';
import type { Cli } from './cli.ts';
import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { statusPaint } from './output/style.ts';
import { table } from './output/table.ts';
import { askedFor } from './output/task-view.ts';
import { relative } from './output/time.ts';
import { collect } from './pages.ts';
import { list, wholeNumber } from './parse.ts';

interface Options {
  status?: string[];
  repo?: string;
  limit: number;
}

export const configure: Configure = (command, act) => {
  command
    .option('--status <list>', 'only tasks in one of these statuses, like RUNNING,QUEUED', list)
    .option('--repo <repo>', 'only tasks of this repository')
    .option('--limit <number>', 'how many at most', wholeNumber, 20)
    .action(
      act(async (cli, options: Options) => {
        const client = await cli.client();
        const query = {
          ...(options.status
            ? { status: options.status.map((status) => status.toUpperCase()).join(',') }
            : {}),
          ...(options.repo === undefined ? {} : { repo: options.repo }),
        };
        const tasks = await collect((page) => client.listTasks({ ...query, ...page }), options.limit);
        cli.printJson(tasks);
        const narrowed = options.status !== undefined || options.repo !== undefined;
        if (tasks.length === 0 && narrowed) cli.print('No such tasks.');
        else if (tasks.length === 0)
          cli.print(`No tasks. Submit one: ${cli.program} submit --repo <repo> --task "…"`);
        else cli.print(tableOf(tasks, cli));
        return EXIT.ok;
      }),
    );
};

function tableOf(tasks: readonly TaskSummary[], { style, width, now }: Cli): string {
  return table(
    tasks,
    [
      { title: 'task', value: ({ task_id }) => task_id },
      {
        title: 'status',
        value: ({ status }) => status,
        paint: (cell, { status }) => statusPaint(style, status)(cell),
      },
      { title: 'created', value: ({ created_at }) => relative(created_at, now()) },
      { title: 'repo', value: ({ repo }) => repo },
      {
        title: 'asked',
        value: (task) => askedFor(task),
        flexible: true,
      },
    ],
    { width, title: style.dim },
  );
}
