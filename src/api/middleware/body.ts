import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import type { ApiEnv } from '../env.ts';

/** Largest body of a request, in bytes. */
const BODY_LIMIT = 1_000_000;

/** A runner's report carries events, log text and the diff (1 MiB) at once. */
export const REPORT_LIMIT = 8_000_000;

const JSON_TYPE = /^application\/([a-z0-9.-]+\+)?json\s*(;|$)/i;

/**
 * Refuses a body that is too large without reading it (or as soon as it grows past the limit), and one that isn't JSON.
 * `optional`: no body at all is fine.
 */
export function jsonBody({
  maxBytes = BODY_LIMIT,
  optional = false,
}: {
  maxBytes?: number;
  optional?: boolean;
} = {}): MiddlewareHandler<ApiEnv> {
  const limit = bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new HTTPException(413, {
        message: `body: must have at most ${maxBytes.toLocaleString('en')} bytes`,
      });
    },
  });
  return async (c, next) => {
    const type = c.req.header('content-type');
    const empty = c.req.header('content-length') === '0' || c.req.raw.body === null;
    if (!(type === undefined && optional && empty) && !JSON_TYPE.test(type ?? ''))
      throw new HTTPException(415, { message: 'content-type: must be application/json' });
    if (c.req.header('content-encoding') !== undefined && c.req.header('content-encoding') !== 'identity')
      throw new HTTPException(415, { message: 'content-encoding: compressed bodies are not accepted' });
    return limit(c, next);
  };
}
