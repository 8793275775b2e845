import { createRoute } from '@hono/zod-openapi';
import { ownerSeenBy, visibleTask } from '../access.ts';
import { cancelTask } from '../cancel.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { requires } from '../middleware/requires.ts';
import { pageAnswer } from '../paging.ts';
import { dataOf, pageOf, taskParams } from '../schemas/envelope.ts';
import {
  cancelledSchema,
  cancellingSchema,
  listTasksQuery,
  taskDetailSchema,
  taskSummarySchema,
} from '../schemas/tasks.ts';
import { toDetail, toSummary } from '../task-detail.ts';
import { COMMON_FAILURES, CONFLICT, json, keyWith, NOT_FOUND, UNAVAILABLE } from './responses.ts';

/** List, show, cancel. */
export function taskRoutes(app: ApiApp, deps: ApiDeps): void {
  const { stores } = deps;

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/tasks',
      operationId: 'listTasks',
      summary: 'List tasks, newest first',
      tags: ['tasks'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read')] as const,
      request: { query: listTasksQuery },
      responses: {
        200: json('Own tasks; those of all users for an admin.', pageOf(taskSummarySchema)),
        ...COMMON_FAILURES,
      },
    }),
    async (c) => {
      const { limit, next_token, status, repo } = c.req.valid('query');
      const { items, nextToken } = await stores.tasks.list({
        userId: ownerSeenBy(c.get('principal')),
        statuses: status,
        repo: repo === undefined ? undefined : (await deps.resolveRepo(repo)).repo,
        limit,
        nextToken: next_token,
      });
      return c.json(pageAnswer(items.map(toSummary), nextToken), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/tasks/{task_id}',
      operationId: 'getTask',
      summary: 'Show a task',
      tags: ['tasks'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read')] as const,
      request: { params: taskParams },
      responses: { 200: json('The task.', dataOf(taskDetailSchema)), ...COMMON_FAILURES, ...NOT_FOUND },
    }),
    async (c) => {
      const task = await visibleTask(stores, c.get('principal'), c.req.valid('param').task_id);
      return c.json({ data: await toDetail(deps, task) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'delete',
      path: '/v1/tasks/{task_id}',
      operationId: 'cancelTask',
      summary: 'Cancel a task',
      description:
        'Waits up to five seconds for the proof that its session is gone; else it goes on by itself.',
      tags: ['tasks'],
      security: keyWith('tasks:cancel'),
      middleware: [requires(deps, 'tasks:cancel')] as const,
      request: { params: taskParams },
      responses: {
        200: json('Cancelled: its session is proven gone.', dataOf(cancelledSchema)),
        202: json('Asked for; it will be cancelled.', dataOf(cancellingSchema)),
        ...COMMON_FAILURES,
        ...NOT_FOUND,
        ...CONFLICT,
        ...UNAVAILABLE,
      },
    }),
    async (c) => {
      const principal = c.get('principal');
      const task = await visibleTask(stores, principal, c.req.valid('param').task_id);
      const { task_id, status, completed_at, cancel_requested_at, updated_at } = await cancelTask(
        deps,
        task,
        principal.userId,
      );
      if (status === 'CANCELLED')
        return c.json({ data: { task_id, status, cancelled_at: completed_at ?? updated_at } }, 200);
      return c.json(
        { data: { task_id, status, cancel_requested_at: cancel_requested_at ?? updated_at } },
        202,
      );
    },
  );
}
