import { createRoute } from '@hono/zod-openapi';
import { BgAgentError } from '../../task/errors.ts';
import { isTerminal } from '../../task/status.ts';
import { visibleTask } from '../access.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { jsonBody } from '../middleware/body.ts';
import { rateLimit } from '../middleware/rate-limit.ts';
import { requires } from '../middleware/requires.ts';
import { dataOf, idempotencyHeaders, taskParams } from '../schemas/envelope.ts';
import { createTaskSchema, taskDetailSchema } from '../schemas/tasks.ts';
import { resubmitTask, submitTask } from '../submit.ts';
import { toDetail } from '../task-detail.ts';
import {
  BODY_FAILURES,
  CONFLICT,
  json,
  NOT_FOUND,
  TOO_MANY,
  UNAVAILABLE,
  UNPROCESSABLE,
  WITH_KEY,
} from './responses.ts';

const answers = {
  200: json('The key was used before for this same request: the task of then.', dataOf(taskDetailSchema)),
  201: json('The task is accepted.', dataOf(taskDetailSchema)),
};

/** Submit, and submit again. */
export function submitRoutes(app: ApiApp, deps: ApiDeps): void {
  const { stores, settings, now } = deps;
  const limited = rateLimit({ perMinute: settings.submit_rate_per_min, now });

  app.openapi(
    createRoute({
      method: 'post',
      path: '/v1/tasks',
      operationId: 'createTask',
      summary: 'Submit a task',
      tags: ['tasks'],
      security: WITH_KEY,
      middleware: [requires(deps, 'tasks:write'), limited, jsonBody()] as const,
      request: {
        headers: idempotencyHeaders,
        body: { required: true, content: { 'application/json': { schema: createTaskSchema } } },
      },
      responses: { ...answers, ...BODY_FAILURES, ...CONFLICT, ...UNPROCESSABLE, ...TOO_MANY, ...UNAVAILABLE },
    }),
    async (c) => {
      const key = c.req.valid('header')['idempotency-key'];
      const { task, created } = await submitTask(deps, c.get('principal'), c.req.valid('json'), key);
      const data = await toDetail(deps, task);
      if (created) return c.json({ data }, 201, { Location: `/v1/tasks/${task.task_id}` });
      return c.json({ data }, 200, { 'Idempotent-Replay': 'true' });
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/v1/tasks/{task_id}/retry',
      operationId: 'retryTask',
      summary: 'Submit an ended task once more',
      tags: ['tasks'],
      security: WITH_KEY,
      middleware: [requires(deps, 'tasks:write'), limited, jsonBody({ optional: true })] as const,
      request: { params: taskParams, headers: idempotencyHeaders },
      responses: {
        ...answers,
        ...BODY_FAILURES,
        ...NOT_FOUND,
        ...CONFLICT,
        ...UNPROCESSABLE,
        ...TOO_MANY,
        ...UNAVAILABLE,
      },
    }),
    async (c) => {
      const earlier = await visibleTask(stores, c.get('principal'), c.req.valid('param').task_id);
      if (!isTerminal(earlier.status))
        throw new BgAgentError(
          'TASK_NOT_TERMINAL',
          `task ${earlier.task_id} is ${earlier.status}, not ended`,
        );
      const key = c.req.valid('header')['idempotency-key'];
      const { task, created } = await resubmitTask(deps, c.get('principal'), earlier, key);
      const data = await toDetail(deps, task);
      if (created) return c.json({ data }, 201, { Location: `/v1/tasks/${task.task_id}` });
      return c.json({ data }, 200, { 'Idempotent-Replay': 'true' });
    },
  );
}
