import { createRoute } from '@hono/zod-openapi';
import type { ApiKeyRecord } from '../../stores/api-key-store.ts';
import { BgAgentError } from '../../task/errors.ts';
import { maySee, ownerSeenBy } from '../access.ts';
import { createApiKey } from '../api-keys.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { jsonBody } from '../middleware/body.ts';
import { requires } from '../middleware/requires.ts';
import { pageAnswer } from '../paging.ts';
import {
  type ApiKeyDetail,
  apiKeyDetailSchema,
  apiKeyParams,
  createApiKeySchema,
  createdApiKeySchema,
} from '../schemas/api-keys.ts';
import { dataOf, pageOf, pageQuery } from '../schemas/envelope.ts';
import { BODY_FAILURES, COMMON_FAILURES, CONFLICT, json, NOT_FOUND, WITH_KEY } from './responses.ts';

const DAY_MS = 86_400_000;

/** Keys are made by admins; everyone sees and revokes their own. */
export function apiKeyRoutes(app: ApiApp, deps: ApiDeps): void {
  const { stores, now, newId } = deps;
  const { apiKeys } = stores;

  app.openapi(
    createRoute({
      method: 'post',
      path: '/v1/api-keys',
      operationId: 'createApiKey',
      summary: 'Make an API key; it is shown this once',
      tags: ['api-keys'],
      security: WITH_KEY,
      middleware: [requires(deps, 'admin'), jsonBody()] as const,
      request: { body: { required: true, content: { 'application/json': { schema: createApiKeySchema } } } },
      responses: { 201: json('The key.', dataOf(createdApiKeySchema)), ...BODY_FAILURES },
    }),
    async (c) => {
      const { name, scopes, expires_in_days, user_id } = c.req.valid('json');
      const { key, record } = await createApiKey(
        { apiKeys, now, newId },
        {
          userId: user_id ?? c.get('principal').userId,
          name,
          scopes,
          expiresAt:
            expires_in_days == null ? null : new Date(now() + expires_in_days * DAY_MS).toISOString(),
        },
      );
      return c.json({ data: { ...toDetail(record), key } }, 201);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/api-keys',
      operationId: 'listApiKeys',
      summary: 'List API keys',
      tags: ['api-keys'],
      security: WITH_KEY,
      middleware: [requires(deps, 'tasks:read')] as const,
      request: { query: pageQuery(20) },
      responses: {
        200: json('Own keys; those of all users for an admin.', pageOf(apiKeyDetailSchema)),
        ...COMMON_FAILURES,
      },
    }),
    async (c) => {
      const { limit, next_token } = c.req.valid('query');
      const userId = ownerSeenBy(c.get('principal'));
      const { items, nextToken } = await apiKeys.list({ userId, limit, nextToken: next_token });
      return c.json(pageAnswer(items.map(toDetail), nextToken), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'delete',
      path: '/v1/api-keys/{key_id}',
      operationId: 'revokeApiKey',
      summary: 'Revoke an API key',
      tags: ['api-keys'],
      security: WITH_KEY,
      middleware: [requires(deps, 'tasks:read')] as const,
      request: { params: apiKeyParams },
      responses: {
        200: json('Revoked.', dataOf(apiKeyDetailSchema)),
        ...COMMON_FAILURES,
        ...NOT_FOUND,
        ...CONFLICT,
      },
    }),
    async (c) => {
      const { key_id } = c.req.valid('param');
      const record = await apiKeys.get(key_id);
      if (!record) throw new BgAgentError('API_KEY_NOT_FOUND', `no API key ${key_id}`);
      if (!maySee(c.get('principal'), record.user_id))
        throw new BgAgentError('FORBIDDEN', `API key ${key_id} belongs to another user`);
      const at = new Date(now()).toISOString();
      if (!(await apiKeys.revoke(key_id, at)))
        throw new BgAgentError('API_KEY_ALREADY_REVOKED', `API key ${key_id} was revoked before`);
      return c.json({ data: toDetail({ ...record, revoked_at: at }) }, 200);
    },
  );
}

const toDetail = ({ secret_hash: _hash, ...record }: ApiKeyRecord): ApiKeyDetail => record;
