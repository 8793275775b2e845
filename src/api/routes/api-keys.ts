import { createRoute, type z } from '@hono/zod-openapi';
import type { ApiKeyRecord } from '../../stores/api-key-store.ts';
import { BgAgentError } from '../../task/errors.ts';
import { maySee, ownerSeenBy } from '../access.ts';
import { createApiKey, hasScope, type Principal } from '../api-keys.ts';
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
import { BODY_FAILURES, COMMON_FAILURES, CONFLICT, json, keyWith, NOT_FOUND } from './responses.ts';

const DAY_MS = 86_400_000;

/** Keys are made by admins; everyone sees their own, and revokes those that may do no more than the key that is shown. */
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
      security: keyWith('admin'),
      middleware: [requires(deps, 'admin'), jsonBody()] as const,
      request: { body: { required: true, content: { 'application/json': { schema: createApiKeySchema } } } },
      responses: { 201: json('The key.', dataOf(createdApiKeySchema)), ...BODY_FAILURES },
    }),
    async (c) => {
      const { name, scopes, user_id, ...expiry } = c.req.valid('json');
      const { key, record } = await createApiKey(
        { apiKeys, now, newId },
        {
          userId: user_id ?? c.get('principal').userId,
          name,
          scopes,
          expiresAt: expiryOf(expiry, now()),
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
      security: keyWith('tasks:read'),
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
      security: keyWith('tasks:read'),
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
      requireRevocable(c.get('principal'), record);
      const at = new Date(now()).toISOString();
      if (!(await apiKeys.revoke(key_id, at)))
        throw new BgAgentError('API_KEY_ALREADY_REVOKED', `API key ${key_id} was revoked before`);
      return c.json({ data: toDetail({ ...record, revoked_at: at }) }, 200);
    },
  );
}

function expiryOf(
  {
    expires_at,
    expires_in_days,
  }: Pick<z.output<typeof createApiKeySchema>, 'expires_at' | 'expires_in_days'>,
  nowMs: number,
): string | null {
  if (expires_at != null && expires_in_days != null)
    throw new BgAgentError('VALIDATION_ERROR', 'expires_at: give this or expires_in_days, not both', {
      field: 'expires_at',
    });
  if (expires_in_days != null) return new Date(nowMs + expires_in_days * DAY_MS).toISOString();
  if (expires_at == null) return null;
  if (Date.parse(expires_at) <= nowMs)
    throw new BgAgentError('VALIDATION_ERROR', 'expires_at: must be in the future', { field: 'expires_at' });
  return new Date(expires_at).toISOString();
}

/**
 * A key that has leaked must not end the others of its owner that may do more, and an admin's key not itself: there is always
 * one left to administer with. Throws FORBIDDEN, API_KEY_IN_USE.
 */
function requireRevocable(principal: Principal, { key_id, scopes }: ApiKeyRecord): void {
  const missing = scopes.find((scope) => !hasScope(principal, scope));
  if (missing !== undefined)
    throw new BgAgentError('FORBIDDEN', `API key ${key_id} has the scope ${missing}, which this key lacks`);
  if (principal.keyId === key_id && scopes.includes('admin'))
    throw new BgAgentError(
      'API_KEY_IN_USE',
      `API key ${key_id} is the admin's key that asks; revoke it with another`,
    );
}

const toDetail = ({ secret_hash: _hash, ...record }: ApiKeyRecord): ApiKeyDetail => record;
