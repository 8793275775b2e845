import type { MiddlewareHandler } from 'hono';
import { messageOf } from '../../task/errors.ts';
import type { ApiKeyScope } from '../../task/scopes.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiEnv } from '../env.ts';
import { verifyDelivery } from '../webhooks.ts';
import { requires } from './requires.ts';

/** What a delivery may do: become a task of the webhook's owner. */
const INVOKE: ApiKeyScope = 'webhooks:invoke';

const isSigned = (header: (name: string) => string | undefined): boolean =>
  header('x-webhook-id') !== undefined || header('x-webhook-signature') !== undefined;

/** Before the body is read: whoever signs nothing must show a key that may invoke. */
export function signedOr(deps: ApiDeps): MiddlewareHandler<ApiEnv> {
  const withKey = requires(deps, INVOKE);
  return async (c, next) => {
    if (isSigned((name) => c.req.header(name))) await next();
    else await withKey(c, next);
  };
}

/** After the body's size is checked: a signature is judged as it is, whatever key comes with it. */
export function checkSignature({ stores, secrets, now, log }: ApiDeps): MiddlewareHandler<ApiEnv> {
  const { webhooks } = stores;
  return async (c, next) => {
    if (isSigned((name) => c.req.header(name))) {
      const sender = await verifyDelivery(
        { webhooks, secrets, now },
        {
          webhookId: c.req.header('x-webhook-id'),
          signature: c.req.header('x-webhook-signature'),
          timestamp: c.req.header('x-webhook-timestamp'),
          body: new Uint8Array(await c.req.arrayBuffer()),
        },
      );
      const { webhook_id, user_id } = sender.webhook;
      c.set('sender', sender);
      c.set('principal', { userId: user_id, keyId: null, scopes: [INVOKE] });
      webhooks
        .touch(webhook_id, new Date(now()).toISOString())
        .catch((error: unknown) =>
          log.warn(
            { event: 'api.webhook.touch_failed', webhook_id, error: messageOf(error) },
            'the last use of a webhook was not written',
          ),
        );
    }
    await next();
  };
}
