import type { EventMetadata, EventType } from '../../task/events.ts';
import type { Payload } from '../../task/protocol.ts';

/** Something that does the work in a workspace. */
export interface CodingAgent {
  readonly type: string;
  /**
   * Works until it's done, it fails, or `signal` aborts. By then everything it has started is gone. Throws
   * AGENT_NOT_AVAILABLE when it can't be started at all.
   */
  run(input: AgentInput): Promise<AgentResult>;
}

export interface AgentInput {
  agent: Payload['agent'];
  /** What to do, as a file that the agent can read. */
  promptFile: string;
  /** Where the agent may say what it did, or why there was nothing to do. */
  summaryFile: string;
  /** The work tree. */
  workspace: string;
  environment: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** Starts a program the way that the sandbox wants it; all of its processes are ended by the runner. */
  start(commandLine: string, environment: Readonly<Record<string, string>>): Promise<AgentProcess>;
  onEvent<T extends EventType>(type: T, metadata: EventMetadata<T>): void;
}

export interface AgentProcess {
  /** Resolves when the program has ended and nothing of it is left. */
  ended: Promise<ProcessEnd>;
}

export interface ProcessEnd {
  code: number | null;
  signal: string | null;
}

export type AgentResult =
  | { kind: 'done'; summary: string | null }
  /** `message` is for people: what went wrong. */
  | { kind: 'failed'; message: string };
