import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp, ApiEnv } from '../env.ts';
import { requires } from '../middleware/requires.ts';
import { COMMON_FAILURES, keyWith } from './responses.ts';

const open: MiddlewareHandler<ApiEnv> = (_, next) => next();

/** What monitoring reads: with an admin's key, unless the setting `metrics_public` says that anyone may. */
export function metricsRoute(app: ApiApp, deps: ApiDeps): void {
  const isPublic = deps.settings.metrics_public;
  app.openapi(
    createRoute({
      method: 'get',
      path: '/metrics',
      operationId: 'getMetrics',
      summary: 'Metrics in the text format of Prometheus',
      tags: ['platform'],
      ...(isPublic ? {} : { security: keyWith('admin') }),
      middleware: [isPublic ? open : requires(deps, 'admin')] as const,
      responses: {
        200: { description: 'The metrics.', content: { 'text/plain': { schema: z.string() } } },
        ...COMMON_FAILURES,
      },
    }),
    async (c) => {
      const { contentType, body } = await deps.metrics.text();
      return c.text(body, 200, { 'Content-Type': contentType });
    },
  );
}
