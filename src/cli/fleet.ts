import type { Fleet } from '../api/client.ts';
import type { Cli } from './cli.ts';
import type { Configure } from './commands.ts';
import { EXIT } from './exit-codes.ts';
import { pairs, table } from './output/table.ts';
import { relative } from './output/time.ts';

export const configure: Configure = (command, act) => {
  command.action(
    act(async (cli) => {
      const fleet = await (await cli.client()).getFleet();
      cli.printJson(fleet);
      cli.print(fleetView(fleet, cli));
      return EXIT.ok;
    }),
  );
};

/** Sessions, machines and leases each in a table of their own, where there are any; the counts always. */
function fleetView({ sessions, instances, leases, queue, capacity }: Fleet, cli: Cli): string {
  const now = cli.now();
  const options = { width: cli.width, title: cli.style.dim };
  const ago = (at: string | null): string => (at === null ? '' : relative(at, now));
  const parts = [
    pairs([
      ['active', `${capacity.active} of ${capacity.max_active_system}`],
      ['a user', `${capacity.max_active_per_user} at most`],
      [
        'queued',
        queue.oldest_queued_at === null
          ? String(queue.length)
          : `${queue.length}, the oldest ${ago(queue.oldest_queued_at)}`,
      ],
      [
        'backends',
        capacity.computes
          .map(({ compute_type, max_sessions }) =>
            max_sessions === null ? compute_type : `${compute_type} (${max_sessions} sessions at most)`,
          )
          .join(', '),
      ],
    ]),
  ];
  if (sessions.length > 0)
    parts.push(
      table(
        sessions,
        [
          { title: 'session', value: ({ session_id }) => session_id },
          { title: 'status', value: ({ status }) => status },
          { title: 'backend', value: ({ compute_type }) => compute_type },
          { title: 'started', value: ({ started_at }) => ago(started_at) },
          { title: 'last heard', value: ({ last_heartbeat_at }) => ago(last_heartbeat_at) },
          { title: 'repository', value: ({ repo }) => repo, flexible: true },
        ],
        options,
      ),
    );
  if (instances.length > 0)
    parts.push(
      table(
        instances,
        [
          { title: 'machine', value: ({ instance_id }) => instance_id },
          { title: 'pool', value: ({ pool }) => pool },
          { title: 'phase', value: ({ phase }) => phase },
          { title: 'since', value: ({ since }) => ago(since) },
          { title: 'for', value: ({ session_id, reason }) => session_id ?? reason ?? '', flexible: true },
        ],
        options,
      ),
    );
  if (leases.length > 0)
    parts.push(
      table(
        leases,
        [
          { title: 'lease', value: ({ name }) => name },
          { title: 'until', value: ({ expires_at }) => ago(expires_at) },
          { title: 'owner', value: ({ owner }) => owner, flexible: true },
        ],
        options,
      ),
    );
  return parts.join('\n\n');
}
