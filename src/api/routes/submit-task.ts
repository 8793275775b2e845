import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp, ApiEnv } from '../env.ts';
import { jsonBody } from '../middleware/body.ts';
import { rateHeaders } from '../middleware/rate-headers.ts';
import { requires } from '../middleware/requires.ts';
import { checkSignature, signedOr } from '../middleware/signed.ts';
import { dataOf, idempotencyHeaders, taskParams } from '../schemas/envelope.ts';
import { createTaskSchema, taskDetailSchema } from '../schemas/tasks.ts';
import { signatureHeaders } from '../schemas/webhooks.ts';
import { createSubmitter, type Submission } from '../submit.ts';
import { toDetail } from '../task-detail.ts';
import { keyOfDelivery } from '../webhooks.ts';
import {
  BODY_FAILURES,
  CONFLICT,
  json,
  keyWith,
  NOT_FOUND,
  TOO_MANY,
  UNAVAILABLE,
  UNPROCESSABLE,
} from './responses.ts';

const answers = {
  200: json('The key was used before for this same request: the task of then.', dataOf(taskDetailSchema)),
  201: json('The task is accepted.', dataOf(taskDetailSchema)),
};

/** Submit, by a key or a webhook, and submit again. */
export function submitRoutes(app: ApiApp, deps: ApiDeps): void {
  const { stores, settings, now } = deps;
  const submitter = createSubmitter(deps);
  const allowance = rateHeaders(submitter.allowance, (c) => c.get('principal').userId);

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
      security: keyWith('tasks:write'),
      middleware: [requires(deps, 'tasks:write'), allowance, jsonBody()] as const,
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
      path: '/v1/webhooks/tasks',
      operationId: 'createTaskByWebhook',
      summary: 'Submit a task by a signed delivery',
      description:
        '`X-Webhook-Signature` is `sha256=` and the HMAC (SHA-256, hex) by the webhook’s secret of the raw body, or of `<X-Webhook-Timestamp>.<raw body>` when the timestamp is sent. A delivery that comes again, with the same signature, is answered with the task of the first time. Without a signature it takes a key with the scope `webhooks:invoke`.',
      tags: ['webhooks'],
      security: [{ webhook: [] }, ...keyWith('webhooks:invoke')],
      middleware: [signedOr(deps), jsonBody(), checkSignature(deps), allowance] as const,
      request: {
        headers: idempotencyHeaders.extend(signatureHeaders.shape),
        body: { required: true, content: { 'application/json': { schema: createTaskSchema } } },
      },
      responses: { ...answers, ...BODY_FAILURES, ...CONFLICT, ...UNPROCESSABLE, ...TOO_MANY, ...UNAVAILABLE },
    }),
    async (c) => {
      const wanted = c.req.valid('header')['idempotency-key'];
      const sender = c.get('sender');
      const key =
        sender === undefined
          ? wanted
          : await keyOfDelivery(
              { webhooks: stores.webhooks, now, retentionDays: settings.retention_days },
              sender,
              wanted,
            );
      const origin = { channel_source: 'webhook', channel_metadata: null } as const;
      return answer(c, await submitter.submit(c.get('principal'), c.req.valid('json'), key, origin));
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/v1/tasks/{task_id}/retry',
      operationId: 'retryTask',
      summary: 'Submit an ended task once more',
      tags: ['tasks'],
      security: keyWith('tasks:write'),
      middleware: [requires(deps, 'tasks:write'), allowance, jsonBody({ optional: true })] as const,
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
