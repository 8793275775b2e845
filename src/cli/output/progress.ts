import type { TaskEvent } from '../../task/events.ts';
import { TERMINAL_EVENT } from '../../task/status.ts';
import type { Cli } from '../cli.ts';
import { type EventLine, eventLine } from './event-line.ts';
import type { Style } from './style.ts';
import { duration } from './time.ts';

/** A task's life as it happens: a line an event and, at a terminal, what is going on now with the time it has taken. */
export interface Progress {
  event(event: TaskEvent): void;
  /** Clears what was only for the moment. */
  end(): void;
}

const LABEL_WIDTH = 10;
const REFRESH_MS = 500;

/** What goes on after an event until the next one. */
const NOW: Readonly<Record<string, string>> = {
  task_created: 'waiting to be admitted',
  admission_queued: 'queued',
  admission_granted: 'checking the repository',
  hydration_started: 'checking the repository',
  preflight_passed: 'collecting the input',
  hydration_complete: 'starting a session',
  capacity_waiting: 'waiting for room',
  session_started: 'the runner starts',
  cancel_requested: 'stopping the agent',
  outcome_reported: 'checking the result on the remote',
  pr_created: 'finishing',
};
const PHASE_NOW: Readonly<Record<string, string>> = {
  clone: 'cloning',
  setup: 'running the setup command',
  baseline: 'running build, lint and test before the work',
  agent: 'the agent works',
  verify: 'running build, lint and test',
  repair: 'the agent repairs what its work broke',
  commit: 'committing',
  push: 'pushing the branch',
};

export function createProgress(cli: Cli, startedAt: string): Progress {
  const start = Date.parse(startedAt);
  const { style } = cli;
  let activity: { text: string; since: number } | undefined;
  let shown = false;

  const clear = (): void => {
    if (shown) cli.write('\r\u001b[2K');
    shown = false;
  };
  const draw = (): void => {
    if (!cli.terminal || cli.json || !activity) return;
    const text = `${' '.repeat(10)}… ${activity.text}, ${duration(cli.now() - activity.since)}`;
    cli.write(`\r\u001b[2K${style.dim(text.slice(0, (cli.width ?? 80) - 1))}`);
    shown = true;
  };
  const timer = cli.terminal && !cli.json ? setInterval(draw, REFRESH_MS) : undefined;

  return {
    event: (event) => {
      const at = Date.parse(event.timestamp);
      const line = eventLine(event);
      clear();
      if (line) cli.print(formatLine(line, at - start, style, cli.width));
      const phase =
        event.event_type === 'phase_started' ? PHASE_NOW[String(event.metadata.phase)] : undefined;
      const text = phase ?? NOW[event.event_type];
      if (text !== undefined) activity = { text, since: at };
      draw();
    },
    end: () => {
      clearInterval(timer);
      clear();
      activity = undefined;
    },
  };
}

/** `    1.2 s  agent       took 340 ms`, in the colour of its tone, cut to the terminal. */
function formatLine(line: EventLine, sinceMs: number, style: Style, width: number | undefined): string {
  const time = duration(sinceMs).padStart(9);
  const room = width === undefined ? Number.POSITIVE_INFINITY : Math.max(10, width - 9 - LABEL_WIDTH - 5);
  const text = line.text.length > room ? `${line.text.slice(0, room - 1)}…` : line.text;
  const label = line.label.padEnd(LABEL_WIDTH);
  const paint = {
    plain: (part: string) => part,
    dim: style.dim,
    good: style.good,
    warn: style.warn,
    bad: style.bad,
  }[line.tone];
  const painted = line.tone === 'plain' ? `${style.bold(label)}  ${text}` : paint(`${label}  ${text}`);
  return `${style.dim(time)}  ${painted}`.trimEnd();
}

const TERMINAL_EVENTS: readonly string[] = Object.values(TERMINAL_EVENT);
export const isTerminalEvent = ({ event_type }: TaskEvent): boolean => TERMINAL_EVENTS.includes(event_type);
