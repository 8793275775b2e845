import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { findTaskId } from './find-task.ts';
import { watchToEnd } from './follow.ts';
import { taskView } from './output/task-view.ts';

export const configure: Configure = (command, act) => {
  command
    .argument('<id>', 'a task id, the start of one, or `latest`')
    .option('--wait', 'follow the task until it ends')
    .action(
      act(async (cli, id: string, options: { wait?: boolean }) => {
        const client = await cli.client();
        const task = await client.getTask(await findTaskId(client, id));
        if (options.wait) return watchToEnd(cli, client, task);
        cli.printJson(task);
        cli.print(taskView(task, cli.style, cli.now()));
        return EXIT.ok;
      }),
    );
};
