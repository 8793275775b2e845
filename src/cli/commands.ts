import type { Command } from 'commander';
import type { Cli } from './cli.ts';
import type { ExitCode } from './exit-codes.ts';

/** Turns a command's function into commander's action: it gets its `Cli` first and says how the process ends. */
export type Act = <Args extends unknown[]>(
  run: (cli: Cli, ...args: Args) => Promise<ExitCode | undefined>,
) => (...args: [...Args, Command]) => Promise<void>;

/** Adds arguments, options and action to a command. */
export type Configure = (command: Command, act: Act) => void;

export interface CommandEntry {
  name: string;
  summary: string;
  group: 'Try it' | 'Tasks' | 'Administration' | 'This machine';
  load(): Promise<{ configure: Configure }>;
}

/** Every command, loaded only when it's used: `bgagent --help` reads this table and nothing else. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'up',
    summary: 'start the platform on this machine',
    group: 'Try it',
    load: () => import('./up.ts'),
  },
  {
    name: 'demo',
    summary: 'watch a task run, from start to end',
    group: 'Try it',
    load: () => import('./demo.ts'),
  },
  {
    name: 'submit',
    summary: 'hand a task to the platform',
    group: 'Tasks',
    load: () => import('./submit.ts'),
  },
  { name: 'status', summary: 'show a task', group: 'Tasks', load: () => import('./status.ts') },
  {
    name: 'watch',
    summary: 'follow a task until it ends',
    group: 'Tasks',
    load: () => import('./watch.ts'),
  },
  { name: 'list', summary: 'list tasks, newest first', group: 'Tasks', load: () => import('./list.ts') },
  {
    name: 'events',
    summary: 'show the history of a task',
    group: 'Tasks',
    load: () => import('./events.ts'),
  },
  { name: 'logs', summary: 'show what the agent printed', group: 'Tasks', load: () => import('./logs.ts') },
  { name: 'diff', summary: 'show what a task changed', group: 'Tasks', load: () => import('./diff.ts') },
  { name: 'cancel', summary: 'end a task now', group: 'Tasks', load: () => import('./cancel.ts') },
  {
    name: 'retry',
    summary: 'submit an ended task once more',
    group: 'Tasks',
    load: () => import('./retry.ts'),
  },
  {
    name: 'nudge',
    summary: 'say something to the agent while it works',
    group: 'Tasks',
    load: () => import('./nudge.ts'),
  },
  {
    name: 'pending',
    summary: 'list what waits for a person to decide',
    group: 'Tasks',
    load: () => import('./pending.ts'),
  },
  {
    name: 'replay',
    summary: 'save a task with its whole history',
    group: 'Tasks',
    load: () => import('./replay.ts'),
  },
  {
    name: 'repo',
    summary: 'onboard repositories and set their defaults',
    group: 'Administration',
    load: () => import('./repo.ts'),
  },
  {
    name: 'api-key',
    summary: 'create, list and revoke API keys',
    group: 'Administration',
    load: () => import('./api-key.ts'),
  },
  {
    name: 'fleet',
    summary: 'show what runs where, what waits, and the machines',
    group: 'Administration',
    load: () => import('./fleet.ts'),
  },
  {
    name: 'deliveries',
    summary: 'see what channels were told, and try again what failed',
    group: 'Administration',
    load: () => import('./deliveries.ts'),
  },
  {
    name: 'slack',
    summary: 'connect a Slack workspace',
    group: 'Administration',
    load: () => import('./slack.ts'),
  },
  {
    name: 'webhook',
    summary: 'let other systems submit tasks by signed requests',
    group: 'Administration',
    load: () => import('./webhook.ts'),
  },
  {
    name: 'policies',
    summary: 'show what decides over the actions of agents',
    group: 'Administration',
    load: () => import('./policies.ts'),
  },
  {
    name: 'github',
    summary: 'set up GitHub: a token, or a GitHub App',
    group: 'This machine',
    load: () => import('./github.ts'),
  },
  {
    name: 'configure',
    summary: 'write the settings of this machine',
    group: 'This machine',
    load: () => import('./configure.ts'),
  },
  {
    name: 'doctor',
    summary: 'check what is needed here, and say what to do',
    group: 'This machine',
    load: () => import('./doctor.ts'),
  },
  {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    group: 'This machine',
    load: () => import('./completion.ts'),
  },
];
