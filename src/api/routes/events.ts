import { createRoute, z } from '@hono/zod-openapi';
import { visibleTask } from '../access.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { requires } from '../middleware/requires.ts';
import { pageAnswer } from '../paging.ts';
import { pageOf, taskParams, ulidSchema } from '../schemas/envelope.ts';
import { eventSchema, listEventsQuery } from '../schemas/tasks.ts';
import { eventStream } from '../stream.ts';
import { toEvent } from '../task-detail.ts';
import { COMMON_FAILURES, json, keyWith, NOT_FOUND } from './responses.ts';

/** A task's history, by page and as it happens. */
export function eventRoutes(app: ApiApp, deps: ApiDeps): void {
  const { stores, closing, pingIntervalMs } = deps;

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/tasks/{task_id}/events',
      operationId: 'listEvents',
      summary: 'List the events of a task, oldest first',
      tags: ['tasks'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read')] as const,
      request: { params: taskParams, query: listEventsQuery },
      responses: { 200: json('Events.', pageOf(eventSchema)), ...COMMON_FAILURES, ...NOT_FOUND },
    }),
    async (c) => {
      const { task_id } = await visibleTask(stores, c.get('principal'), c.req.valid('param').task_id);
      const { limit, next_token, after, desc } = c.req.valid('query');
      const { items, nextToken } = await stores.events.list(task_id, {
        limit,
        desc: desc === '1' || desc === 'true',
        after,
        nextToken: next_token,
      });
      return c.json(pageAnswer(items.map(toEvent), nextToken), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/tasks/{task_id}/stream',
      operationId: 'streamEvents',
      summary: 'Follow the events of a task as they are written (Server-Sent Events)',
      description:
        'Each message has the event’s id and, as data, the event. It ends after the terminal event. `Last-Event-ID` (or `after`) resumes.',
      tags: ['tasks'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read')] as const,
      request: {
        params: taskParams,
        query: z.object({ after: ulidSchema.optional() }),
        headers: z.object({ 'last-event-id': z.union([z.literal(''), ulidSchema]).optional() }),
      },
      responses: {
        200: {
          description: 'The stream.',
          content: { 'text/event-stream': { schema: z.string() } },
        },
        ...COMMON_FAILURES,
        ...NOT_FOUND,
      },
    }),
    async (c) => {
      const { task_id } = await visibleTask(stores, c.get('principal'), c.req.valid('param').task_id);
      const after = c.req.valid('header')['last-event-id'] || c.req.valid('query').after;
      c.header('Content-Type', 'text/event-stream; charset=utf-8');
      c.header('Cache-Control', 'no-cache, no-transform');
      c.header('X-Accel-Buffering', 'no');
      // Said outright, so that the server passes on the first bytes without waiting for more.
      c.header('Transfer-Encoding', 'chunked');
      return c.body(eventStream({ stores, taskId: task_id, after, pingIntervalMs, closing }), 200);
    },
  );
}
