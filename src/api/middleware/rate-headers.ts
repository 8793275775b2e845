import type { Context, MiddlewareHandler } from 'hono';
import type { ApiEnv } from '../env.ts';
import type { RateLimit } from '../rate-limit.ts';

/** Says in every answer, refusals included, what is left of an allowance. Register it after what sets `principal`. */
export const rateHeaders =
  (limit: RateLimit, nameOf: (c: Context<ApiEnv>) => string): MiddlewareHandler<ApiEnv> =>
  async (c, next) => {
    await next();
    const { remaining, resetSeconds } = limit.left(nameOf(c));
    c.res.headers.set('X-RateLimit-Limit', String(limit.perMinute));
    c.res.headers.set('X-RateLimit-Remaining', String(remaining));
    c.res.headers.set('X-RateLimit-Reset', String(resetSeconds));
  };
