import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { findTaskId } from './find-task.ts';
import { diffView } from './output/diff-view.ts';

export const configure: Configure = (command, act) => {
  command
    .argument('<id>', 'a task id, the start of one, or `latest`')
    .addHelpText(
      'after',
      '\nAt a terminal the text is coloured and made safe; elsewhere it is exact: bgagent diff latest | git apply',
    )
    .action(
      act(async (cli, id: string) => {
        const client = await cli.client();
        const taskId = await findTaskId(client, id);
        const { diff, truncated } = await client.getDiff(taskId);
        if (cli.json) cli.printJson({ task_id: taskId, diff, truncated });
        else cli.write(cli.terminal ? diffView(diff, cli.style) : diff);
        if (!truncated) return EXIT.ok;
        cli.note(
          `The diff is cut at 1 MiB: fetch the branch for all of it (\`${cli.program} status\` says how).`,
        );
        return EXIT.failed;
      }),
    );
};
