import type { MiddlewareHandler } from 'hono';
import { BgAgentError } from '../../task/errors.ts';
import type { ApiEnv } from '../env.ts';

/** Users remembered at once; beyond that, those with a full allowance are forgotten. */
const MAX_BUCKETS = 10_000;

/** An allowance for each user that refills evenly over a minute. Needs `requires` before it. */
export function rateLimit({
  perMinute,
  now,
}: {
  perMinute: number;
  now: () => number;
}): MiddlewareHandler<ApiEnv> {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const refill = (bucket: { tokens: number; at: number }, at: number): number =>
    Math.min(perMinute, bucket.tokens + (Math.max(0, at - bucket.at) * perMinute) / 60_000);

  return async (c, next) => {
    const { userId } = c.get('principal');
    const at = now();
    const tokens = refill(buckets.get(userId) ?? { tokens: perMinute, at }, at);
    if (tokens < 1)
      throw new BgAgentError('RATE_LIMIT_EXCEEDED', `at most ${perMinute} tasks a minute may be submitted`, {
        retryAfterSeconds: Math.ceil(((1 - tokens) * 60) / perMinute),
      });
    if (buckets.size >= MAX_BUCKETS)
      for (const [user, bucket] of buckets) if (refill(bucket, at) >= perMinute) buckets.delete(user);
    buckets.set(userId, { tokens: tokens - 1, at });
    await next();
  };
}
