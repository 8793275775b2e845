import type { ModelPrice, Rates } from './prices.ts';

/** Tokens of one call, each counted in one place only. */
export interface Tokens {
  /** Neither written to nor read from a cache. */
  input: number;
  output: number;
  /** For five minutes. */
  cacheWrite: number;
  cacheWrite1h: number;
  cacheRead: number;
}

export const NO_TOKENS: Tokens = { input: 0, output: 0, cacheWrite: 0, cacheWrite1h: 0, cacheRead: 0 };

export const inputOf = ({ input, cacheWrite, cacheWrite1h, cacheRead }: Tokens): number =>
  input + cacheWrite + cacheWrite1h + cacheRead;

export function costOf(tokens: Tokens, price: ModelPrice): number {
  const { long } = price;
  const rates: Rates = long && inputOf(tokens) > long.aboveInputTokens ? long : price;
  const { input, output, cacheWrite = input, cacheWrite1h = cacheWrite, cacheRead = input } = rates;
  return (
    (tokens.input * input +
      tokens.output * output +
      tokens.cacheWrite * cacheWrite +
      tokens.cacheWrite1h * cacheWrite1h +
      tokens.cacheRead * cacheRead) /
    1_000_000
  );
}

/** The most that a call with so much input and output can cost, however the provider's cache is used. */
export function worstCostOf({ input, output }: { input: number; output: number }, price: ModelPrice): number {
  const rates = [price, ...(price.long ? [price.long] : [])];
  const highest = Math.max(
    ...rates.flatMap((rate) => [
      rate.input,
      rate.cacheWrite ?? 0,
      rate.cacheWrite1h ?? 0,
      rate.cacheRead ?? 0,
    ]),
  );
  return (input * highest + output * Math.max(...rates.map((rate) => rate.output))) / 1_000_000;
}

/** A count that a provider told: anything but a number from 0 on is none. */
export const countOf = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;

/** Of two reports about the same call, which only grows. */
export const atLeast = (a: Tokens, b: Tokens): Tokens => ({
  input: Math.max(a.input, b.input),
  output: Math.max(a.output, b.output),
  cacheWrite: Math.max(a.cacheWrite, b.cacheWrite),
  cacheWrite1h: Math.max(a.cacheWrite1h, b.cacheWrite1h),
  cacheRead: Math.max(a.cacheRead, b.cacheRead),
});
