import type { ModelApi } from '../../agents/agent.ts';
import type { Tokens } from '../tokens.ts';
import type { Operation } from '../upstreams/upstream.ts';

/** What the gateway must know of a model API to count and to refuse; everything else of it passes through unread. */
export interface Protocol {
  api: ModelApi;
  /** The calls it has, by path. */
  operations: Readonly<Record<string, Operation>>;
  /** Headers that go to the provider. */
  headers: readonly string[];
  /** What a request asks for, or why it's refused. */
  read(fields: Readonly<Record<string, unknown>>): CallRequest | { refused: string };
  /** A body that clients of this API understand as an error that they need not repeat. */
  error(status: number, message: string): unknown;
  /** An error that comes when the stream is under way. */
  streamError(message: string): string;
  models(ids: readonly string[]): unknown;
  createMeter(): Meter;
}

export interface CallRequest {
  model: string;
  stream: boolean;
  /** The most that the model may write. */
  maxOutputTokens: number;
}

/** Reads what a call used while its answer passes by. */
export interface Meter {
  /** The data of one event of a stream. */
  event(data: string): void;
  /** An answer that isn't streamed. */
  answer(body: unknown): void;
  /** As the provider has told so far; null before it told anything. */
  tokens(): Tokens | null;
  /** The answer ended as it should, and its usage is final. */
  complete(): boolean;
  /** Characters that the model wrote so far. */
  written(): number;
  /** The provider gave up in an event of the stream. */
  failed(): StreamFailure | null;
}

export interface StreamFailure {
  message: string;
  /** Trying again may help. */
  passing: boolean;
}
