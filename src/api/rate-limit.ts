import { BgAgentError } from '../task/errors.ts';

/** Names remembered at once; beyond that, those with a full allowance are forgotten. */
const MAX_BUCKETS = 10_000;

/** An allowance for each of many (users, tasks) that refills evenly over a minute. */
export interface RateLimit {
  perMinute: number;
  /** Takes one, or throws RATE_LIMIT_EXCEEDED with the time to wait. */
  take(name: string): void;
  /** What is left, and the seconds until all of it is back. */
  left(name: string): { remaining: number; resetSeconds: number };
}

export function createRateLimit({
  perMinute,
  what,
  now,
}: {
  perMinute: number;
  /** What there may be so many of, for people: `tasks may be submitted`. */
  what: string;
  now: () => number;
}): RateLimit {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const refill = (bucket: { tokens: number; at: number } | undefined, at: number): number =>
    bucket === undefined
      ? perMinute
      : Math.min(perMinute, bucket.tokens + (Math.max(0, at - bucket.at) * perMinute) / 60_000);
  const secondsFor = (tokens: number): number => Math.ceil((tokens * 60) / perMinute);

  return {
    perMinute,
    take(name) {
      const at = now();
      const tokens = refill(buckets.get(name), at);
      if (tokens < 1)
        throw new BgAgentError('RATE_LIMIT_EXCEEDED', `at most ${perMinute} ${what} a minute`, {
          retryAfterSeconds: secondsFor(1 - tokens),
        });
      if (buckets.size >= MAX_BUCKETS)
        for (const [other, bucket] of buckets) if (refill(bucket, at) >= perMinute) buckets.delete(other);
      buckets.set(name, { tokens: tokens - 1, at });
    },
    left(name) {
      const tokens = refill(buckets.get(name), now());
      return { remaining: Math.floor(tokens), resetSeconds: secondsFor(perMinute - tokens) };
    },
  };
}
