import { BgAgentError } from '../task/errors.ts';
import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { table } from './output/table.ts';
import { relative } from './output/time.ts';
import { cleanLine } from './output/untrusted.ts';
import { collect } from './pages.ts';
import { wholeNumber } from './parse.ts';

const STATES = ['pending', 'claimed', 'sent', 'failed', 'dead'] as const;

interface ListOptions {
  state?: string;
  limit: number;
}

export const configure: Configure = (command, act) => {
  command
    .command('list')
    .description('list what channels were told, newest first')
    .option('--state <state>', `only these: ${STATES.join(', ')}`)
    .option('--limit <number>', 'how many at most', wholeNumber, 50)
    .action(
      act(async (cli, { state, limit }: ListOptions) => {
        const client = await cli.client();
        const wanted = STATES.find((known) => known === state);
        if (state !== undefined && wanted === undefined)
          throw new BgAgentError('VALIDATION_ERROR', `--state: must be one of ${STATES.join(', ')}`, {
            field: 'state',
          });
        const deliveries = await collect(
          (page) => client.listDeliveries({ ...page, ...(wanted ? { state: wanted } : {}) }),
          limit,
        );
        cli.printJson(deliveries);
        const now = cli.now();
        cli.print(
          table(
            deliveries,
            [
              { title: 'delivery', value: ({ delivery_id }) => delivery_id },
              { title: 'event', value: ({ type }) => type },
              { title: 'state', value: ({ state: at }) => at },
              { title: 'tries', value: ({ attempts }) => String(attempts) },
              { title: 'changed', value: ({ updated_at }) => relative(updated_at, now) },
              { title: 'why', value: ({ note }) => cleanLine(note ?? ''), flexible: true },
            ],
            { width: cli.width, title: cli.style.dim },
          ),
        );
        return EXIT.ok;
      }),
    );
  command
    .command('replay')
    .description('try deliveries that failed or were given up once more')
    .argument('[delivery]', 'as `deliveries list` shows it')
    .option('--dead', 'all that were given up')
    .action(
      act(async (cli, deliveryId: string | undefined, { dead = false }: { dead?: boolean }) => {
        if ((deliveryId === undefined) === !dead)
          throw new BgAgentError(
            'VALIDATION_ERROR',
            'give a delivery, or --dead for all that were given up',
            {
              field: 'delivery',
            },
          );
        const client = await cli.client();
        const ids =
          deliveryId === undefined
            ? (await collect((page) => client.listDeliveries({ ...page, state: 'dead' }))).map(
                ({ delivery_id }) => delivery_id,
              )
            : [deliveryId];
        const replayed = [];
        for (const id of ids) replayed.push(await client.replayDelivery(id));
        cli.printJson(replayed);
        cli.print(
          replayed.length === 1 ? 'It is tried again now.' : `${replayed.length} are tried again now.`,
        );
        return EXIT.ok;
      }),
    );
};
