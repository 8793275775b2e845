import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp, ApiEnv } from '../env.ts';
import { jsonBody } from '../middleware/body.ts';
import { requires } from '../middleware/requires.ts';
import { dataOf, idempotencyHeaders, taskParams } from '../schemas/envelope.ts';
import { createTaskSchema, taskDetailSchema } from '../schemas/tasks.ts';
import { createSubmitter, type Submission } from '../submit.ts';
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
  const submitter = createSubmitter(deps);

  async function answer(c: Context<ApiEnv>, { task, created }: Submission) {
    const data = await toDetail(deps, task);
    if (created) return c.json({ data }, 201, { Location: `/v1/tasks/${task.task_id}` });
    return c.json({ data }, 200, { 'Idempotent-Replay': 'true' });
  }

  app.openapi(
    createRoute({
      method: 'post',
      path: '/v1/tasks',
      operationId: 'createTask',
      summary: 'Submit a task',
      tags: ['tasks'],
      security: WITH_KEY,
      middleware: [requires(deps, 'tasks:write'), jsonBody()] as const,
      request: {
        headers: idempotencyHeaders,
        body: { required: true, content: { 'application/json': { schema: createTaskSchema } } },
      },
      responses: { ...answers, ...BODY_FAILURES, ...CONFLICT, ...UNPROCESSABLE, ...TOO_MANY, ...UNAVAILABLE },
    }),
    async (c) => {
      const { 'idempotency-key': key } = c.req.valid('header');
      return answer(c, await submitter.submit(c.get('principal'), c.req.valid('json'), key));
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
      middleware: [requires(deps, 'tasks:write'), jsonBody({ optional: true })] as const,
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
      const { 'idempotency-key': key } = c.req.valid('header');
      const { task_id } = c.req.valid('param');
      return answer(c, await submitter.resubmit(c.get('principal'), task_id, key));
    },
  );
}
