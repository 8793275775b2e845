import { createInterface } from 'node:readline/promises';
import type { SettingsEdit } from '../config/edit-settings.ts';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import type { Cli } from './cli.ts';

/** What is worth asking a person; everything else has `configure --set`. */
const QUESTIONS = [
  ['default_agent', 'Agent of tasks that name none'],
  ['default_agent_command', 'Command line of the `command` agent'],
  ['local_capacity', 'Tasks that may run at once on this machine (null = twice the cores)'],
  ['default_max_budget_usd', 'Dollars that a task may cost when it names no budget'],
  [
    'sandbox',
    'Sandbox: required, or preferred = run without one where none can be had (only for code you trust)',
  ],
] as const satisfies readonly (readonly [keyof Settings, string])[];

/** Asks at the terminal, offering what is set now; an empty answer keeps it. Ctrl-C ends it with nothing written. */
export async function askForSettings(cli: Cli): Promise<SettingsEdit> {
  const settings = await loadSettings({ environment: cli.environment, dataDir: cli.dataDir });
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    cli.print('Press Enter to keep what is in brackets.\n');
    const set: Record<string, string> = {};
    for (const [name, question] of QUESTIONS) {
      const answer = await terminal.question(`${question} [${settings[name]}]: `, { signal: cli.signal });
      if (answer.trim() !== '') set[name] = answer.trim();
    }
    return { set, unset: [] };
  } finally {
    terminal.close();
  }
}
