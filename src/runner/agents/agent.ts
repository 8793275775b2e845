import type { Readable, Writable } from 'node:stream';
import type { EventMetadata, EventType } from '../../task/events.ts';
import type { Payload, ReportReply } from '../../task/protocol.ts';

/** The two model APIs that agents speak: Anthropic Messages and OpenAI Responses. */
export type ModelApi = 'anthropic' | 'openai';

/** Something that does the work in a workspace. */
export interface CodingAgent {
  readonly type: string;
  /** The model API that it speaks; then it's given a `model`. Absent: it needs none. */
  readonly speaks?: ModelApi;
  /** It can be told something while it works. Absent: nudges are refused, and their senders told so. */
  readonly takesNudges?: true;
  /**
   * Folders of its own program, which the sandbox must let it read wherever they lie. Throws AGENT_NOT_AVAILABLE when it's not
   * installed.
   */
  readable?(environment: Readonly<Record<string, string | undefined>>): Promise<readonly string[]>;
  /**
   * Works until it's done, it fails, or `signal` aborts. By then everything it has started is gone. Throws
   * AGENT_NOT_AVAILABLE when it can't be started at all.
   */
  run(input: AgentInput): Promise<AgentResult>;
}

/** How the agent reaches its model: by way of the runner, which counts, pays and refuses. The key is good for nothing else. */
export interface AgentModel {
  /** `http://127.0.0.1:<port>`, without a path. */
  url: string;
  key: string;
  main: string;
  /** For side jobs of the agent; the same as `main` where there is no smaller one. */
  small: string;
  /** Calls of the main model so far. */
  turns(): number;
}

export interface AgentInput {
  agent: Payload['agent'];
  /** What to do. */
  prompt: string;
  /** What to do, as a file that the agent can read. */
  promptFile: string;
  /** Where the agent may say what it did, or why there was nothing to do. */
  summaryFile: string;
  /** Where agents that read files find what people say while they work. */
  nudgeFile: string;
  /** What people say while it works, for agents that take nudges. */
  nudges: NudgeSource;
  /** The work tree. */
  workspace: string;
  /** Given to agents that speak a model API. */
  model: AgentModel | null;
  environment: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /**
   * Starts a program the way that the sandbox wants it; all of its processes are ended by the runner. What it prints goes to
   * the log of the task, but for standard output where `io` takes it.
   */
  start(
    commandLine: string,
    environment: Readonly<Record<string, string>>,
    io?: AgentIo,
  ): Promise<AgentProcess>;
  /** Adds to the log of the task. Secrets are taken out on the way. */
  print(text: string): void;
  /** Previews are cut and secrets taken out on the way. */
  onEvent<T extends EventType>(type: T, metadata: EventMetadata<T>): void;
}

/** What a person says to the agent while it works. */
export type Nudge = ReportReply['nudges'][number];

/** What an agent sees of the nudges. */
export interface NudgeSource {
  /** Calls back with each nudge, those that wait first; returns the way to stop. What is not told as delivered then waits on. */
  listen(take: (nudge: Nudge) => void): () => void;
  /** The agent has it. */
  delivered(nudgeId: string, how: EventMetadata<'nudge_delivered'>['how']): void;
  /** The agent can't be told, ever. `reason` is for people. */
  refused(nudgeId: string, reason: string): void;
}

/** Both ends of a conversation with a program. */
export interface AgentIo {
  stdin: Readable;
  stdout: Writable;
}

export interface AgentProcess {
  /** Resolves when the program has ended and nothing of it is left. */
  ended: Promise<ProcessEnd>;
  /** Ends it and everything it has started; `ended` tells when that is done. */
  kill(): void;
}

export interface ProcessEnd {
  code: number | null;
  signal: string | null;
}

export type AgentResult =
  | { kind: 'done'; summary: string | null }
  /** `message` is for people: what went wrong. */
  | { kind: 'failed'; message: string };
