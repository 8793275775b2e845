import { text } from 'node:stream/consumers';
import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { findTaskId } from './find-task.ts';

export const configure: Configure = (command, act) => {
  command
    .argument('<id>', 'a task id, the start of one, or `latest`')
    .argument('<text>', 'what to say, at most 2,000 characters; `-` reads standard input')
    .option('--idempotency-key <key>', 'the same key with the same text is the same nudge')
    .action(
      act(async (cli, id: string, words: string, options: { idempotencyKey?: string }) => {
        const client = await cli.client();
        const message = words === '-' ? await text(process.stdin) : words;
        const nudge = await client.nudgeTask(await findTaskId(client, id), { message }, options);
        cli.printJson(nudge);
        cli.print('Taken: the agent is told when its runner reports next, within half a minute or so.');
        cli.print(cli.style.dim(`See when it was: ${cli.program} events ${nudge.task_id}`));
        return EXIT.ok;
      }),
    );
};
