import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import type { ChannelInbox } from '../../channels/channel.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp, ApiEnv } from '../env.ts';
import { COMMON_FAILURES, NOT_FOUND, TOO_LARGE, UNAVAILABLE } from './responses.ts';

/** Largest body that a channel's service sends, in bytes. */
const BODY_LIMIT = 1_000_000;

const answers = {
  200: { description: 'Taken.', content: { 'text/plain': { schema: z.string() } } },
  ...COMMON_FAILURES,
  ...NOT_FOUND,
  ...TOO_LARGE,
  ...UNAVAILABLE,
};

/** What comes back from people through channels: each inbox checks the signature of its service. */
export function channelRoutes(app: ApiApp, deps: ApiDeps): void {
  const limit = bodyLimit({
    maxSize: BODY_LIMIT,
    onError: () => {
      throw new HTTPException(413, {
        message: `body: must have at most ${BODY_LIMIT.toLocaleString('en')} bytes`,
      });
    },
  });
  const common = { tags: ['channels'], middleware: limit, responses: answers };

  for (const kind of ['events', 'commands', 'interactions'])
    app.openapi(
      createRoute({
        ...common,
        method: 'post',
        path: `/v1/slack/${kind}`,
        operationId: `slack${kind[0]?.toUpperCase()}${kind.slice(1)}`,
        summary: `Take ${kind} from Slack, by Slack's signature`,
      }),
      (c) => receive(c, deps.inboxes.slack, kind),
    );

  app.openapi(
    createRoute({
      ...common,
      method: 'get',
      path: '/v1/slack/oauth/callback',
      operationId: 'slackOauthCallback',
      summary: 'The end of an installation in a Slack workspace',
    }),
    (c) => receive(c, deps.inboxes.slack, 'oauth/callback'),
  );

  app.openapi(
    createRoute({
      ...common,
      method: 'post',
      path: '/v1/github/webhook',
      operationId: 'githubWebhook',
      summary: "Take a webhook from GitHub, by GitHub's signature",
    }),
    (c) => receive(c, deps.inboxes.github, 'webhook'),
  );
}

async function receive(c: Context<ApiEnv>, inbox: ChannelInbox | undefined, kind: string) {
  if (!inbox)
    throw new BgAgentError('ROUTE_NOT_FOUND', `no ${c.req.path} here: this deployment lacks the channel`);
  const { body, contentType } = await inbox.receive(kind, {
    method: c.req.method,
    query: c.req.query(),
    header: (name) => c.req.header(name),
    body: c.req.method === 'GET' ? '' : await c.req.text(),
  });
  return c.text(body, 200, { 'Content-Type': `${contentType}; charset=utf-8` });
}
