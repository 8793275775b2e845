import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { findTaskId } from './find-task.ts';
import { cleanText } from './output/untrusted.ts';

export const configure: Configure = (command, act) => {
  command
    .argument('<id>', 'a task id, the start of one, or `latest`')
    .option('--raw', 'as the agent printed it, with sequences that drive the terminal')
    .action(
      act(async (cli, id: string, options: { raw?: boolean }) => {
        const client = await cli.client();
        const taskId = await findTaskId(client, id);
        const log = await client.getLogs(taskId);
        if (cli.json) cli.printJson({ task_id: taskId, log });
        else cli.write(options.raw ? log : withLineEnd(cleanText(log)));
        return EXIT.ok;
      }),
    );
};

const withLineEnd = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);
