/** One measured number, as `npm run bench -- --json` prints it: one JSON object a line. */
export interface Figure {
  name: string;
  /** The number the figure is about; for latencies the median. */
  value: number;
  /** Unit of `value`, `p50` and `p99`: `ms`, `kB`, `1/s`, `x` (a plain ratio). */
  unit: string;
  p50: number | null;
  p99: number | null;
  /** How many samples the number rests on. */
  n: number;
  /** What `ratio` compares with, measured in the same run. */
  ratio_to: string | null;
  ratio: number | null;
}

/** A file `bench/*.ts` that exports `benches` is found by `bench/main.ts`. */
export interface Bench {
  /** What `--only` names. One bench may yield several figures. */
  name: string;
  /** Other figures of it that `--only` may name. */
  also?: readonly string[];
  run(): Promise<Figure[]>;
}

/** A figure from single samples: value = p50, with p99 and n. `ratio` = value over that of the thing compared with. */
export function figureOf(
  name: string,
  unit: string,
  samples: readonly number[],
  compared?: { to: string; value: number },
): Figure {
  const p50 = percentile(samples, 50);
  return {
    name,
    value: p50,
    unit,
    p50,
    p99: percentile(samples, 99),
    n: samples.length,
    ratio_to: compared?.to ?? null,
    ratio: compared ? round(p50 / compared.value) : null,
  };
}

/** Nearest-rank percentile, rounded to three significant decimals. Throws without samples. */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error('a percentile needs at least one sample');
  return round(value);
}

export const round = (value: number): number => Math.round(value * 1_000) / 1_000;
