import type { PriceTable } from './prices.ts';
import type { Upstream } from './upstreams/upstream.ts';

export interface GatewayOptions {
  /** Where models are: `createAnthropicUpstream`, `createBedrockUpstream` or `createOpenAiUpstream` below `upstreams/`. */
  upstream: Upstream;
  /** The only models that the agent gets, named as the agent names them. `small` is for its side jobs; may equal `main`. */
  models: { main: string; small: string };
  limits: {
    /** A turn is one answered call of the main model. */
    maxTurns: number;
    /** `null`: unlimited. */
    maxBudgetUsd: number | null;
  };
  /** USD per million tokens. Default `DEFAULT_PRICES`. */
  prices?: PriceTable;
  /** After each call that cost something: the totals so far, and what this call was. */
  onUsage?(usage: GatewayUsage, call: CallUsage): void;
  /** Once, when a call is refused because a cap is reached. `message` is what the agent is told. */
  onLimit?(reason: LimitReason, message: string): void;
  /** What a person should know: retries, refusals, broken streams. Never holds secrets or content. */
  log?(entry: GatewayLogEntry): void;
  /** Milliseconds since the epoch. Default `Date.now`. */
  now?: () => number;
  /** From 0 to 1, for the jitter of waits. Default `Math.random`. */
  random?: () => number;
  /** Between attempts; rejects when `signal` aborts. */
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** The largest request body, in bytes. Default 32 MiB, what Anthropic takes. */
  maxRequestBytes?: number;
}

export type LimitReason = 'budget' | 'turn_limit';

export interface Gateway {
  /** `http://127.0.0.1:<port>`, without a path. */
  url: string;
  port: number;
  /** What the agent authenticates with, by `x-api-key` or as a bearer token; good for nothing but this gateway. */
  key: string;
  usage(): GatewayUsage;
  /** Ends calls in flight (they are charged by estimate) and stops listening. */
  close(): Promise<void>;
}

/** Totals. Input tokens include those that were written to and read from the provider's cache. */
export interface GatewayUsage {
  costUsd: number;
  inputTokens: number;
  outputTokens: number;
  /** Calls of the main model that were let through, answered or not. */
  turnsAttempted: number;
  /** Calls of the main model that were answered wholly. */
  turns: number;
  /** Calls of any model. */
  calls: number;
}

export interface CallUsage {
  model: string;
  costUsd: number;
  inputTokens: number;
  outputTokens: number;
  cacheWriteTokens: number;
  cacheReadTokens: number;
  /** The provider did not get to tell the usage; it's an estimate. */
  estimated: boolean;
}

export interface GatewayLogEntry {
  /** `gateway.retry`, `gateway.refused`, `gateway.stream_broken`, `gateway.limit`. */
  event: string;
  [detail: string]: string | number | boolean | null;
}

/**
 * Opens the agent's model API on loopback: counts, pays and refuses on behalf of a runner that alone has the credentials.
 * Throws MODEL_NOT_PRICED when `prices` doesn't know a model and there is a budget to hold.
 */
export async function openGateway(_options: GatewayOptions): Promise<Gateway> {
  throw new Error('the gateway is being built');
}
