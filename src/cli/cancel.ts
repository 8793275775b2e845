import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { findTaskId } from './find-task.ts';

export const configure: Configure = (command, act) => {
  command.argument('<id>', 'a task id, the start of one, or `latest`').action(
    act(async (cli, id: string) => {
      const client = await cli.client();
      const taskId = await findTaskId(client, id);
      const answer = await client.cancelTask(taskId);
      cli.printJson(answer);
      cli.print(
        answer.status === 'CANCELLED'
          ? `Cancelled ${taskId}: its session is gone.`
          : `Cancelling ${taskId}: the agent is being stopped, what it did so far is kept on the branch.` +
              `\nFollow it: ${cli.program} watch ${taskId}`,
      );
      return EXIT.ok;
    }),
  );
};
