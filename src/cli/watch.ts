import type { Configure } from './commands.ts';
import { findTaskId } from './find-task.ts';
import { watchToEnd } from './follow.ts';

export const configure: Configure = (command, act) => {
  command
    .argument('<id>', 'a task id, the start of one, or `latest`')
    .addHelpText('after', '\nWith --output json: an event a line, and the task itself as the last line.')
    .action(
      act(async (cli, id: string) => {
        const client = await cli.client();
        const task = await client.getTask(await findTaskId(client, id));
        return watchToEnd(cli, client, task);
      }),
    );
};
