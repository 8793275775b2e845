import type { MiddlewareHandler } from 'hono';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import type { ApiKeyScope } from '../../task/scopes.ts';
import { hasScope, verifyApiKey } from '../api-keys.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiEnv } from '../env.ts';
import { bearerToken } from './bearer.ts';

/** Lets only a valid key with this scope pass; afterwards `principal` says who asks. */
export function requires(
  { stores, now, log }: Pick<ApiDeps, 'stores' | 'now' | 'log'>,
  scope: ApiKeyScope,
): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const key = c.req.header('x-api-key') ?? bearerToken(c.req.header('authorization'));
    if (key === undefined)
      throw new BgAgentError('UNAUTHORIZED', 'send an API key in X-API-Key or as `Authorization: Bearer`');
    const { principal, touch } = await verifyApiKey({ apiKeys: stores.apiKeys, now }, key);
    if (!hasScope(principal, scope))
      throw new BgAgentError(
        'FORBIDDEN',
        `this key lacks the scope ${scope}; it has ${principal.scopes.join(', ')}`,
      );
    c.set('principal', principal);
    touch?.().catch((error: unknown) =>
      log.warn(
        { event: 'api.key.touch_failed', key_id: principal.keyId, error: messageOf(error) },
        'the last use of a key was not written',
      ),
    );
    await next();
  };
}
