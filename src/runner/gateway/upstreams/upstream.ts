import type { Readable } from 'node:stream';
import type { ModelApi } from '../../agents/agent.ts';

/** A provider of models. Holds the credentials; nothing of them leaves it but in requests to the provider. */
export interface Upstream {
  readonly type: 'anthropic' | 'bedrock' | 'openai';
  /** What it speaks: requests and answers are in the form of this API, whatever the provider's own is. */
  readonly api: ModelApi;
  /**
   * One attempt. Resolves once the head of the answer is there, with any status; rejects when there is none (a `NetworkFailure`)
   * or `signal` aborts.
   */
  send(request: UpstreamRequest, signal: AbortSignal): Promise<UpstreamAnswer>;
  /** What must never reach the agent: the credentials as they were last used. */
  secrets(): readonly string[];
  close(): void;
}

export type Operation = 'messages' | 'count_tokens' | 'responses';

export interface UpstreamRequest {
  operation: Operation;
  /** As the agent named it. */
  model: string;
  stream: boolean;
  /** JSON, to be sent as it is. */
  body: Buffer;
  /** The same, read. */
  fields: Readonly<Record<string, unknown>>;
  /** Headers of the agent that the API knows, lower case; never its credentials. */
  headers: Readonly<Record<string, string>>;
}

export interface UpstreamAnswer {
  status: number;
  /** Lower case. */
  headers: Readonly<Record<string, string>>;
  /** Server-sent events where `stream` was asked for and the status is 200, else JSON. */
  body: Readable;
}

/** The provider gave no answer. `reached`: the request had left wholly, so it may have been worked on and will be billed. */
export class NetworkFailure extends Error {
  readonly reached: boolean;
  constructor(message: string, { reached, cause }: { reached: boolean; cause?: unknown }) {
    super(message, { cause });
    this.name = 'NetworkFailure';
    this.reached = reached;
  }
}
