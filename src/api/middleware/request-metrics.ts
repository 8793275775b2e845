import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { ApiEnv } from '../env.ts';
import type { Metrics } from '../metrics.ts';

/** Counts every answer by its route, as the document has it: ids and unknown addresses make no series of their own. */
export const requestMetrics =
  ({ request }: Metrics): MiddlewareHandler<ApiEnv> =>
  async (c, next) => {
    const begun = performance.now();
    await next();
    const route = matchedRoutes(c)
      .map(({ path }) => path)
      .findLast((path) => !path.endsWith('*'));
    request(
      {
        method: METHODS.has(c.req.method) ? c.req.method : 'other',
        route: route?.replace(/:([a-z_]+)/g, '{$1}') ?? 'unknown',
        status: c.res.status,
      },
      (performance.now() - begun) / 1_000,
    );
  };

/** A caller may send any word for a method. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']);
