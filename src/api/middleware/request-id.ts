import type { MiddlewareHandler } from 'hono';
import type { ApiEnv } from '../env.ts';

/** Gives every request an id of ours, whatever the caller sends, and says it in the answer. */
export const requestId =
  (newId: () => string): MiddlewareHandler<ApiEnv> =>
  async (c, next) => {
    const id = newId();
    c.set('requestId', id);
    await next();
    c.res.headers.set('X-Request-Id', id);
    c.res.headers.set('X-Content-Type-Options', 'nosniff');
    if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-store');
  };
