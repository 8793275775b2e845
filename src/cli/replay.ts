import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { findTaskId } from './find-task.ts';

export const configure: Configure = (command, act) => {
  command.argument('<id>', 'a task id, the start of one, or `latest`').action(
    act(async (cli, id: string) => {
      const client = await cli.client();
      const bundle = await client.getReplay(await findTaskId(client, id));
      // A document for other programs either way; for people it has lines.
      if (cli.json) cli.printJson(bundle);
      else cli.print(JSON.stringify(bundle, null, 2));
      const cut = bundle.events_truncation;
      if (cut)
        cli.note(
          `Only the first ${cut.returned} events: \`${cli.program} events ${bundle.task.task_id} --all\` has all.`,
        );
      return EXIT.ok;
    }),
  );
};
