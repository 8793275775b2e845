import { createRoute } from '@hono/zod-openapi';
import { visibleTask } from '../access.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { requires } from '../middleware/requires.ts';
import { replayOf } from '../replay.ts';
import { dataOf, taskParams } from '../schemas/envelope.ts';
import { replaySchema } from '../schemas/replay.ts';
import { toDetail } from '../task-detail.ts';
import { COMMON_FAILURES, json, keyWith, NOT_FOUND } from './responses.ts';

/** A task and what happened, to keep or to show elsewhere. */
export function replayRoutes(app: ApiApp, deps: ApiDeps): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/tasks/{task_id}/replay',
      operationId: 'getReplay',
      summary: 'A task and its history in one document',
      description: 'At most 5,000 events and 5 MiB; `events_truncation` says where it was cut.',
      tags: ['tasks'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read')] as const,
      request: { params: taskParams },
      responses: { 200: json('The bundle.', dataOf(replaySchema)), ...COMMON_FAILURES, ...NOT_FOUND },
    }),
    async (c) => {
      const task = await visibleTask(deps.stores, c.get('principal'), c.req.valid('param').task_id);
      return c.json({ data: await replayOf(deps.stores, await toDetail(deps, task)) }, 200);
    },
  );
}
