import type { ModelAccess } from '../../task/protocol.ts';

/** USD per million tokens. */
export interface Rates {
  input: number;
  output: number;
  /** Written to the provider's cache for five minutes. Default: as `input`. */
  cacheWrite?: number;
  /** Written to it for an hour. Default: as `cacheWrite`. */
  cacheWrite1h?: number;
  /** Read from it. Default: as `input`. */
  cacheRead?: number;
}

export interface ModelPrice extends Rates {
  /** Rates of the whole call when its input, caches included, is over so many tokens. */
  long?: Rates & { aboveInputTokens: number };
}

/**
 * Prices by model family: the id without region, provider, version and date, so `claude-opus-4-5` also stands for
 * `us.anthropic.claude-opus-4-5-20251101-v1:0`. A key that is a model's whole id comes first.
 */
export type PriceTable = Readonly<Record<string, ModelPrice>>;

/** List prices, standard tier. Anthropic: the catalogue in @anthropic-ai/claude-agent-sdk 0.3.331. OpenAI: its price pages. */
export const PRICES_AS_OF = '2026-11-24';

/** Anthropic: an hour of cache costs twice the input, five minutes a quarter more. */
const claude = (input: number, output: number, cacheRead: number): ModelPrice => ({
  input,
  output,
  cacheWrite: input * 1.25,
  cacheWrite1h: input * 2,
  cacheRead,
});

/** OpenAI from GPT-5.6 on: input beyond 272,000 tokens doubles the call's input rates, half as much again for output. */
const gpt = (input: number, cacheRead: number, output: number): ModelPrice => ({
  input,
  output,
  cacheWrite: input * 1.25,
  cacheRead,
  long: {
    aboveInputTokens: 272_000,
    input: input * 2,
    output: output * 1.5,
    cacheWrite: input * 2.5,
    cacheRead: cacheRead * 2,
  },
});

export const DEFAULT_PRICES: PriceTable = {
  'claude-fable-5-2': claude(8, 40, 0.2),
  'claude-fable-5-1': claude(10, 50, 0.25),
  'claude-fable-5': claude(10, 50, 1),
  'claude-opus-5-5': claude(4, 20, 0.2),
  'claude-opus-5': claude(5, 25, 0.5),
  'claude-opus-4-8': claude(5, 25, 0.5),
  'claude-opus-4-7': claude(5, 25, 0.5),
  'claude-opus-4-6': claude(5, 25, 0.5),
  'claude-opus-4-5': claude(5, 25, 0.5),
  'claude-opus-4-1': claude(15, 75, 1.5),
  'claude-sonnet-5-5': claude(2, 10, 0.1),
  'claude-sonnet-5': claude(2, 10, 0.2),
  'claude-sonnet-4-6': claude(3, 15, 0.3),
  'claude-sonnet-4-5': {
    ...claude(3, 15, 0.3),
    long: { aboveInputTokens: 200_000, ...claude(6, 22.5, 0.6) },
  },
  'claude-haiku-5-5': {
    ...claude(0.1, 0.5, 0.01),
    long: { aboveInputTokens: 100_000, ...claude(0.5, 2.5, 0.05) },
  },
  'claude-haiku-4-5': claude(1, 5, 0.1),
  'gpt-6-astra': gpt(10, 1, 50),
  'gpt-6.1-sol': gpt(2, 0.1, 10),
  'gpt-6-sol': gpt(2, 0.2, 10),
  'gpt-6-luna': gpt(0.1, 0.01, 0.5),
  'gpt-5.6-terra': gpt(2, 0.2, 12),
  'gpt-5.6-luna': gpt(0.2, 0.02, 1.2),
  'gpt-5.2': { input: 1.75, output: 14, cacheRead: 0.175 },
  'gpt-5.1': { input: 1.25, output: 10, cacheRead: 0.125 },
  'gpt-5': { input: 1.25, output: 10, cacheRead: 0.125 },
  'gpt-5-mini': { input: 0.25, output: 2, cacheRead: 0.025 },
  'gpt-5-nano': { input: 0.05, output: 0.4, cacheRead: 0.005 },
};

/** The built-in prices, and those that the platform sets in place of them or besides; each stands as a whole. */
export function withPrices(set: ModelAccess['prices']): PriceTable {
  const own = Object.entries(set).map(([model, { long, ...rates }]): [string, ModelPrice] => [
    model,
    {
      ...ratesOf(rates),
      ...(long === undefined
        ? {}
        : { long: { ...ratesOf(long), aboveInputTokens: long.above_input_tokens } }),
    },
  ]);
  return { ...DEFAULT_PRICES, ...Object.fromEntries(own) };
}

const ratesOf = (set: Omit<ModelAccess['prices'][string], 'long'>): Rates => ({
  input: set.input,
  output: set.output,
  ...(set.cache_read === undefined ? {} : { cacheRead: set.cache_read }),
  ...(set.cache_write === undefined ? {} : { cacheWrite: set.cache_write }),
  ...(set.cache_write_1h === undefined ? {} : { cacheWrite1h: set.cache_write_1h }),
});

/** `undefined` when nobody has said what the model costs: never a guess by likeness, since a new model may cost ten times as much. */
export function priceOf(model: string, prices: PriceTable): ModelPrice | undefined {
  return own(prices, model) ?? own(prices, familyOf(model));
}

/** The id without what doesn't change its price. */
export const familyOf = (model: string): string =>
  (model.split('/').at(-1) ?? model)
    .replace(/^(?:[a-z]{2,6}(?:-gov)?\.)?anthropic\./, '')
    .replace(/\[1m\]$/, '')
    .replace(/-v\d+(?::\d+)?$/, '')
    .replace(/[-@](?:\d{8}|\d{4}-\d{2}-\d{2})$/, '')
    .replace(/-latest$/, '');

const own = (prices: PriceTable, key: string): ModelPrice | undefined =>
  Object.hasOwn(prices, key) ? prices[key] : undefined;
