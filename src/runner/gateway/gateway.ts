import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { BgAgentError } from '../../task/errors.ts';
import { openAnswer } from './answer.ts';
import { runCall } from './call.ts';
import { createLedger } from './ledger.ts';
import { createScrub, passError, passOn, type Scrub } from './pass-on.ts';
import { DEFAULT_PRICES, type ModelPrice, type PriceTable, priceOf } from './prices.ts';
import { anthropicProtocol } from './protocols/anthropic.ts';
import { openaiProtocol } from './protocols/openai.ts';
import { openServer } from './server.ts';
import type { Upstream } from './upstreams/upstream.ts';

/** What Anthropic takes. */
const MAX_REQUEST_BYTES = 32 * 1024 * 1024;

export interface GatewayOptions {
  /** Where models are: `createAnthropicUpstream`, `createBedrockUpstream` or `createOpenAiUpstream` below `upstreams/`. */
  upstream: Upstream;
  /** The only models that the agent gets, named as the agent names them. `small` is for its side jobs; may equal `main`. */
  models: { main: string; small: string };
  /** Looked at before each call; may be lowered while it's open. */
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
  /** The largest request body, in bytes. Default 32 MiB. */
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
  /** Calls of the main model that were let through. */
  turnsAttempted: number;
  /** Of these, what got an answer, whole or broken off: what `maxTurns` is about. */
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
 * Throws MODEL_NOT_PRICED when `prices` doesn't know one of the models.
 */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const { upstream, models, prices = DEFAULT_PRICES, now = Date.now, random = Math.random } = options;
  const { sleep = wait, maxRequestBytes = MAX_REQUEST_BYTES } = options;
  const scrub = createScrub(() => upstream.secrets());
  const log = scrubbedLog(options.log, scrub);
  const priced = new Map([models.main, models.small].map((model) => [model, priceFor(model, prices)]));
  const ledger = createLedger(options);
  const key = `bgagent-${randomBytes(24).toString('base64url')}`;
  const server = await openServer({
    key,
    models: [...priced.keys()],
    protocol: upstream.api === 'anthropic' ? anthropicProtocol : openaiProtocol,
    maxRequestBytes,
    log,
    scrub,
    run({ protocol, asked, request, recipient }) {
      const price = priced.get(asked.model);
      if (!price) throw new BgAgentError('MODEL_NOT_PRICED', `no price for the model ${asked.model}`);
      const plan = { model: asked.model, price, turn: asked.model === models.main };
      return runCall({ request, asked, plan }, recipient, {
        upstream,
        protocol,
        ledger,
        now,
        random,
        sleep,
        log,
      });
    },
    async count({ protocol, request, recipient }) {
      const answer = await upstream.send(request, recipient.signal);
      const opened = await openAnswer(answer, protocol.createMeter());
      if (answer.status !== 200) return passError(opened, recipient, protocol);
      await passOn(opened, recipient, () => undefined);
      recipient.response.end();
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    port: server.port,
    key,
    usage: ledger.usage,
    async close() {
      await server.close();
      upstream.close();
    },
  };
}

/** A provider's own words are logged too, and it may repeat what it was given. */
const scrubbedLog =
  (log: GatewayOptions['log'], scrub: Scrub) =>
  (entry: GatewayLogEntry): void => {
    const { event, ...details } = entry;
    const clean = Object.entries(details).map(([name, value]) => [
      name,
      typeof value === 'string' ? scrub(Buffer.from(value)).toString('utf8') : value,
    ]);
    log?.({ event, ...Object.fromEntries(clean) });
  };

function priceFor(model: string, prices: PriceTable): ModelPrice {
  const price = priceOf(model, prices);
  if (!price)
    throw new BgAgentError(
      'MODEL_NOT_PRICED',
      `no price is known for the model ${model}: add it to model_prices`,
      {
        field: 'model_prices',
      },
    );
  return price;
}

const wait = (ms: number, signal: AbortSignal): Promise<void> => delay(ms, undefined, { signal });
