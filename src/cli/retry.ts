import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { findTaskId } from './find-task.ts';
import { watchToEnd } from './follow.ts';
import { taskView } from './output/task-view.ts';

export const configure: Configure = (command, act) => {
  command
    .argument('<id>', 'the ended task: its id, the start of it, or `latest`')
    .option('--wait', 'follow the new task until it ends')
    .action(
      act(async (cli, id: string, options: { wait?: boolean }) => {
        const client = await cli.client();
        const task = await client.retryTask(await findTaskId(client, id));
        if (options.wait) return watchToEnd(cli, client, task);
        cli.printJson(task);
        cli.print(taskView(task, cli.style, cli.now()));
        cli.print(cli.style.dim(`\nFollow it: ${cli.program} watch ${task.task_id}`));
        return EXIT.ok;
      }),
    );
};
