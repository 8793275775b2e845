import type { Client } from '../api/client.ts';
import type { Environment } from '../config/environment.ts';
import type { Style } from './output/style.ts';

export interface GlobalOptions {
  apiUrl?: string;
  apiKey?: string;
  output?: 'text' | 'json';
  verbose?: boolean;
  dataDir?: string;
}

/** A stream as the command line needs it; process.stdout is one. */
export interface Stream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** What every command is given: where to write, whom to talk to, when to stop. */
export interface Cli {
  /** How the command is called, like `bgagent repo add`. */
  readonly command: string;
  /** What comes before a command in a hint, as the person can type it here: `bgagent`. */
  readonly program: string;
  readonly options: GlobalOptions;
  readonly environment: Environment;
  /** Where the platform on this machine keeps everything. */
  readonly dataDir: string;
  readonly json: boolean;
  readonly verbose: boolean;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly style: Style;
  /** The result goes to a terminal. */
  readonly terminal: boolean;
  /** Columns of the terminal; undefined when the output goes elsewhere, and nothing is cut then. */
  readonly width: number | undefined;
  now(): number;
  /** The platform's API; found by options, environment, or the file that `bgagent up` writes. */
  client(): Promise<Client>;
  /** A line for people; nothing in JSON mode. */
  print(text: string): void;
  /** The result in JSON mode: the one document, or one line of JSON Lines. */
  printJson(value: unknown): void;
  /** Text as it is, without a line end of ours. */
  write(text: string): void;
  /** A word beside the result, on standard error. */
  note(text: string): void;
  /** Colours a part of a note. */
  paintNote(paint: 'bad' | 'dim' | 'warn', text: string): string;
}
