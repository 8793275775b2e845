import { preview } from './output.ts';
import type { OnBlocked } from './sandbox/sandbox.ts';
import type { WorkInput } from './work-input.ts';

/** More than an honest run asks for; a flood of events would only fill the history. */
const MOST_HOSTS = 50;

/** Tells of each host that the sandbox kept the agent from once, as an event and in the log. */
export function createBlockedHosts({
  reporter,
  output,
  redact,
}: Pick<WorkInput, 'reporter' | 'output' | 'redact'>): OnBlocked {
  const told = new Set<string>();
  return (asked) => {
    // What the agent wants to give away may be in the name itself.
    const host = preview(redact(asked));
    if (told.has(host) || told.size >= MOST_HOSTS) return;
    told.add(host);
    reporter.event('egress_blocked', { host, setting: 'egress_allowlist' });
    output.note(`${host} was not reached: it is not in egress_allowlist of the repository\n`);
    if (told.size === MOST_HOSTS) output.note('further hosts that are not allowed are not told\n');
  };
}
