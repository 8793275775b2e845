import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { findTaskId } from './find-task.ts';
import { table } from './output/table.ts';
import { cleanLine } from './output/untrusted.ts';
import { collect } from './pages.ts';

export const configure: Configure = (command, act) => {
  command
    .argument('<id>', 'a task id, the start of one, or `latest`')
    .option('--all', 'every event, not only the 50 latest')
    .action(
      act(async (cli, id: string, options: { all?: boolean }) => {
        const client = await cli.client();
        const taskId = await findTaskId(client, id);
        const events = options.all
          ? await collect((page) => client.listEvents(taskId, page))
          : (await client.listEvents(taskId, { limit: 50, desc: true })).data.reverse();
        cli.printJson(events);
        cli.print(
          table(
            events,
            [
              { title: 'time', value: ({ timestamp }) => timestamp.slice(11, 23) },
              { title: 'event', value: ({ event_type }) => event_type },
              { title: 'what it says', value: ({ metadata }) => told(metadata), flexible: true },
            ],
            { width: cli.width, title: cli.style.dim },
          ),
        );
        return EXIT.ok;
      }),
    );
};

const told = (metadata: Record<string, unknown>): string =>
  Object.entries(metadata)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? cleanLine(value) : JSON.stringify(value)}`)
    .join('  ');
