import { createHash, randomInt } from 'node:crypto';
import { createRoute } from '@hono/zod-openapi';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { jsonBody } from '../middleware/body.ts';
import { requires } from '../middleware/requires.ts';
import { createdLinkCodeSchema, createLinkCodeSchema } from '../schemas/account-links.ts';
import { dataOf } from '../schemas/envelope.ts';
import { BODY_FAILURES, json, keyWith } from './responses.ts';

const VALID_MS = 600_000;
/** Without letters that look alike. */
const ALPHABET = 'ABCDEFGHJKMNPQRSTVWXYZ23456789';

/** Says who a person is elsewhere: the code is shown there, within ten minutes, once. */
export function accountLinkRoutes(app: ApiApp, deps: ApiDeps): void {
  app.openapi(
    createRoute({
      method: 'post',
      path: '/v1/account-links',
      operationId: 'createLinkCode',
      summary: 'Make a code that links an account elsewhere to the caller',
      description:
        'In Slack: `/bgagent link <code>`. Who shows it acts with the rights of the key that asked for it.',
      tags: ['channels'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read'), jsonBody()] as const,
      request: {
        body: { required: true, content: { 'application/json': { schema: createLinkCodeSchema } } },
      },
      responses: {
        201: json('The code; it is shown this once.', dataOf(createdLinkCodeSchema)),
        ...BODY_FAILURES,
      },
    }),
    async (c) => {
      const { provider } = c.req.valid('json');
      const { userId, keyId, scopes } = c.get('principal');
      const code = newCode();
      const expires_at_ms = deps.now() + VALID_MS;
      await deps.stores.accountLinks.putCode({
        provider,
        user_id: userId,
        key_id: keyId,
        scopes: [...scopes],
        expires_at_ms,
        code_hash: createHash('sha256').update(code).digest('hex'),
      });
      return c.json({ data: { provider, code, expires_at: new Date(expires_at_ms).toISOString() } }, 201);
    },
  );
}

function newCode(): string {
  const part = (): string => Array.from({ length: 4 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return `${part()}-${part()}-${part()}`;
}
