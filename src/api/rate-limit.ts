import { BgAgentError } from '../task/errors.ts';

/** Users remembered at once; beyond that, those with a full allowance are forgotten. */
const MAX_BUCKETS = 10_000;

/**
 * An allowance of submissions for each user that refills evenly over a minute. The function returned takes one, or throws
 * RATE_LIMIT_EXCEEDED with the time to wait.
 */
export function createRateLimit({
  perMinute,
  now,
}: {
  perMinute: number;
  now: () => number;
}): (userId: string) => void {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const refill = (bucket: { tokens: number; at: number }, at: number): number =>
    Math.min(perMinute, bucket.tokens + (Math.max(0, at - bucket.at) * perMinute) / 60_000);

  return (userId) => {
    const at = now();
    const tokens = refill(buckets.get(userId) ?? { tokens: perMinute, at }, at);
    if (tokens < 1)
      throw new BgAgentError('RATE_LIMIT_EXCEEDED', `at most ${perMinute} tasks a minute may be submitted`, {
        retryAfterSeconds: Math.ceil(((1 - tokens) * 60) / perMinute),
      });
    if (buckets.size >= MAX_BUCKETS)
      for (const [user, bucket] of buckets) if (refill(bucket, at) >= perMinute) buckets.delete(user);
    buckets.set(userId, { tokens: tokens - 1, at });
  };
}
