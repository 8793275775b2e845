import { createRoute, z } from '@hono/zod-openapi';
import { BgAgentError } from '../../task/errors.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { dataOf } from '../schemas/envelope.ts';
import { json, UNAVAILABLE } from './responses.ts';

const stateOf = (state: string) => json('Yes.', dataOf(z.object({ status: z.literal(state) })));

/** Is the process up, and can it serve? For load balancers and `bgagent doctor`; no key is needed. */
export function healthRoutes(app: ApiApp, { stores, closing }: ApiDeps): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/healthz',
      operationId: 'isAlive',
      summary: 'Is the process up?',
      tags: ['platform'],
      responses: { 200: stateOf('ok') },
    }),
    (c) => c.json({ data: { status: 'ok' } }, 200),
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/readyz',
      operationId: 'isReady',
      summary: 'Can it serve requests?',
      tags: ['platform'],
      responses: { 200: stateOf('ready'), ...UNAVAILABLE },
    }),
    async (c) => {
      if (closing?.aborted) throw new BgAgentError('SERVICE_UNAVAILABLE', 'the platform is shutting down');
      await stores.tasks.listByStatus(['SUBMITTED'], 1).catch((error: unknown) => {
        throw new BgAgentError('SERVICE_UNAVAILABLE', 'the task store does not answer', { cause: error });
      });
      return c.json({ data: { status: 'ready' } }, 200);
    },
  );

  app.get('/', (c) => c.html(PAGE));
}

const PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>bgagent</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}</style>
<h1>bgagent</h1>
<p>A self-hosted platform for background coding agents: a submitted task becomes a verified branch.</p>
<p>This is its HTTP API: <a href="/docs">the reference</a>, and the same as <a href="/openapi.json">openapi.json</a>. <code>bgagent --help</code> uses it.</p>
</html>
`;
