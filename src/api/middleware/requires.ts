import type { MiddlewareHandler } from 'hono';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import type { ApiKeyScope } from '../../task/scopes.ts';
import { hasScope } from '../api-keys.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiEnv } from '../env.ts';

/** Lets only a caller with this scope pass; afterwards `principal` says who asks. */
export function requires(
  { authenticate, log }: Pick<ApiDeps, 'authenticate' | 'log'>,
  scope: ApiKeyScope,
): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { principal, touch } = await authenticate({
      apiKey: c.req.header('x-api-key'),
      authorization: c.req.header('authorization'),
    });
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
