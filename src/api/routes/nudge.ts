import { createRoute } from '@hono/zod-openapi';
import { visibleTask } from '../access.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { jsonBody } from '../middleware/body.ts';
import { rateHeaders } from '../middleware/rate-headers.ts';
import { requires } from '../middleware/requires.ts';
import { nudgeTask } from '../nudge.ts';
import { createRateLimit } from '../rate-limit.ts';
import { dataOf, idempotencyHeaders, taskParams } from '../schemas/envelope.ts';
import { nudgedSchema, nudgeSchema } from '../schemas/nudges.ts';
import { BODY_FAILURES, CONFLICT, json, keyWith, NOT_FOUND, TOO_MANY, UNAVAILABLE } from './responses.ts';

/** A word to an agent at work. */
export function nudgeRoutes(app: ApiApp, deps: ApiDeps): void {
  const allowance = createRateLimit({
    perMinute: deps.settings.nudge_rate_per_min,
    what: 'nudges may be sent to a task',
    now: deps.now,
  });

  app.openapi(
    createRoute({
      method: 'post',
      path: '/v1/tasks/{task_id}/nudge',
      operationId: 'nudgeTask',
      summary: 'Say something to the agent while it works',
      description:
        'Kept until the agent has been told, over restarts and attempts; `nudge_delivered` says when that was, `nudge_refused` that it can’t be.',
      tags: ['tasks'],
      security: keyWith('tasks:write'),
      middleware: [
        requires(deps, 'tasks:write'),
        rateHeaders(allowance, (c) => c.req.param('task_id') ?? ''),
        jsonBody(),
      ] as const,
      request: {
        params: taskParams,
        headers: idempotencyHeaders,
        body: { required: true, content: { 'application/json': { schema: nudgeSchema } } },
      },
      responses: {
        202: json('Taken; the agent is told when its runner reports next.', dataOf(nudgedSchema)),
        ...BODY_FAILURES,
        ...NOT_FOUND,
        ...CONFLICT,
        ...TOO_MANY,
        ...UNAVAILABLE,
      },
    }),
    async (c) => {
      const principal = c.get('principal');
      const task = await visibleTask(deps.stores, principal, c.req.valid('param').task_id);
      const { message } = c.req.valid('json');
      const idempotencyKey = c.req.valid('header')['idempotency-key'];
      return c.json(
        { data: await nudgeTask(deps, allowance, principal, task, { message, idempotencyKey }) },
        202,
      );
    },
  );
}
