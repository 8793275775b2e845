import { createRoute } from '@hono/zod-openapi';
import { BgAgentError } from '../../task/errors.ts';
import { maySee, ownerSeenBy } from '../access.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { jsonBody } from '../middleware/body.ts';
import { requires } from '../middleware/requires.ts';
import { pageAnswer } from '../paging.ts';
import { dataOf, pageOf, pageQuery } from '../schemas/envelope.ts';
import {
  createdWebhookSchema,
  createWebhookSchema,
  webhookDetailSchema,
  webhookParams,
} from '../schemas/webhooks.ts';
import { createWebhook, revokeWebhook } from '../webhooks.ts';
import { BODY_FAILURES, COMMON_FAILURES, CONFLICT, json, keyWith, NOT_FOUND } from './responses.ts';

/** Signed ways in: made, listed and revoked by their owners; admins see all. */
export function webhookRoutes(app: ApiApp, deps: ApiDeps): void {
  const { stores, secrets, now, newId } = deps;
  const parts = { webhooks: stores.webhooks, secrets, now, newId };
  const common = { tags: ['webhooks'], security: keyWith('webhooks:manage') };

  app.openapi(
    createRoute({
      ...common,
      method: 'post',
      path: '/v1/webhooks',
      operationId: 'createWebhook',
      summary: 'Make a webhook; its secret is shown this once',
      middleware: [requires(deps, 'webhooks:manage'), jsonBody()] as const,
      request: { body: { required: true, content: { 'application/json': { schema: createWebhookSchema } } } },
      responses: { 201: json('The webhook.', dataOf(createdWebhookSchema)), ...BODY_FAILURES },
    }),
    async (c) => {
      const { name } = c.req.valid('json');
      const { record, secret } = await createWebhook(parts, { userId: c.get('principal').userId, name });
      return c.json({ data: { ...record, secret } }, 201);
    },
  );

  app.openapi(
    createRoute({
      ...common,
      method: 'get',
      path: '/v1/webhooks',
      operationId: 'listWebhooks',
      summary: 'List webhooks',
      middleware: [requires(deps, 'webhooks:manage')] as const,
      request: { query: pageQuery(20) },
      responses: {
        200: json('Own webhooks; those of all users for an admin.', pageOf(webhookDetailSchema)),
        ...COMMON_FAILURES,
      },
    }),
    async (c) => {
      const { limit, next_token } = c.req.valid('query');
      const userId = ownerSeenBy(c.get('principal'));
      const { items, nextToken } = await stores.webhooks.list({ userId, limit, nextToken: next_token });
      return c.json(pageAnswer(items, nextToken), 200);
    },
  );

  app.openapi(
    createRoute({
      ...common,
      method: 'delete',
      path: '/v1/webhooks/{webhook_id}',
      operationId: 'revokeWebhook',
      summary: 'Revoke a webhook',
      middleware: [requires(deps, 'webhooks:manage')] as const,
      request: { params: webhookParams },
      responses: {
        200: json('Revoked.', dataOf(webhookDetailSchema)),
        ...COMMON_FAILURES,
        ...NOT_FOUND,
        ...CONFLICT,
      },
    }),
    async (c) => {
      const { webhook_id } = c.req.valid('param');
      const record = await stores.webhooks.get(webhook_id);
      if (!record) throw new BgAgentError('WEBHOOK_NOT_FOUND', `no webhook ${webhook_id}`);
      if (!maySee(c.get('principal'), record.user_id))
        throw new BgAgentError('FORBIDDEN', `webhook ${webhook_id} belongs to another user`);
      const revoked_at = await revokeWebhook(parts, webhook_id);
      return c.json({ data: { ...record, revoked_at } }, 200);
    },
  );
}
