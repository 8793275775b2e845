import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { cleanLine } from './output/untrusted.ts';

export const configure: Configure = (command, act) => {
  command.action(
    act(async (cli) => {
      const pending = await (await cli.client()).listPending();
      cli.printJson(pending);
      if (pending.length === 0) cli.print('Nothing waits for a person.');
      for (const item of pending) cli.print(cleanLine(JSON.stringify(item)));
      return EXIT.ok;
    }),
  );
};
