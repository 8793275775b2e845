/** USD per million tokens. */
export interface ModelPrice {
  input: number;
  output: number;
  /** Written to the provider's cache for five minutes. Default: as `input`. */
  cacheWrite?: number;
  /** Written for an hour. Default: as `cacheWrite`. */
  cacheWrite1h?: number;
  /** Read from the provider's cache. Default: as `input`. */
  cacheRead?: number;
}

/** Prices by family of model ids: the longest key that begins a model's id (without region, provider and date) counts. */
export type PriceTable = Readonly<Record<string, ModelPrice>>;

export const DEFAULT_PRICES: PriceTable = {};
