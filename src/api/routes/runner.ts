import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import {
  credentialsSchema,
  type ModelAccess,
  payloadSchema,
  reportReplySchema,
  reportRequestSchema,
  startRequestSchema,
} from '../../task/protocol.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp, ApiEnv } from '../env.ts';
import { jsonBody, REPORT_LIMIT } from '../middleware/body.ts';
import { claimOf, type RunnerClaim, requireLive } from '../runner/access.ts';
import { takeReport } from '../runner/report.ts';
import { beginAttempt } from '../runner/start.ts';
import { dataOf, taskParams, ulidSchema } from '../schemas/envelope.ts';
import { BODY_FAILURES, CONFLICT, json, NOT_FOUND, UNAVAILABLE } from './responses.ts';

interface RunnerEnv extends ApiEnv {
  Variables: ApiEnv['Variables'] & { claim: RunnerClaim };
}

/** The runner's protocol: only with the token of the task's present attempt. */
export function runnerRoutes(app: ApiApp, deps: ApiDeps): void {
  const withToken: MiddlewareHandler<RunnerEnv> = async (c, next) => {
    const taskId = ulidSchema.safeParse(c.req.param('task_id'));
    c.set('claim', await claimOf(deps, taskId.data ?? '', c.req.header('authorization')));
    await next();
  };
  const common = {
    tags: ['runner'],
    security: [{ taskToken: [] }],
  };
  const failures = { ...BODY_FAILURES, ...NOT_FOUND, ...CONFLICT, ...UNAVAILABLE };

  app.openapi(
    createRoute({
      ...common,
      method: 'post',
      path: '/v1/runner/{task_id}/start',
      operationId: 'runnerStart',
      summary: 'May this process begin the attempt?',
      middleware: [withToken, jsonBody()] as const,
      request: {
        params: taskParams,
        body: { required: true, content: { 'application/json': { schema: startRequestSchema } } },
      },
      responses: { 200: json('Yes.', dataOf(z.object({ started: z.literal(true) }))), ...failures },
    }),
    async (c) => {
      await beginAttempt(deps, c.get('claim'), c.req.valid('json'));
      return c.json({ data: { started: true as const } }, 200);
    },
  );

  app.openapi(
    createRoute({
      ...common,
      method: 'get',
      path: '/v1/runner/{task_id}/payload',
      operationId: 'runnerPayload',
      summary: 'What to do',
      middleware: [withToken] as const,
      request: { params: taskParams },
      responses: { 200: json('The payload.', dataOf(payloadSchema)), ...failures },
    }),
    async (c) => {
      requireLive(c.get('claim'));
      return c.json({ data: await deps.payloadFor(c.get('claim').task) }, 200);
    },
  );

  app.openapi(
    createRoute({
      ...common,
      method: 'post',
      path: '/v1/runner/{task_id}/report',
      operationId: 'runnerReport',
      summary: 'Events, heartbeat, log text, and the outcome once; safe to repeat',
      middleware: [withToken, jsonBody({ maxBytes: REPORT_LIMIT })] as const,
      request: {
        params: taskParams,
        body: { required: true, content: { 'application/json': { schema: reportRequestSchema } } },
      },
      responses: {
        200: json('Taken; this is what the platform wants.', dataOf(reportReplySchema)),
        ...failures,
      },
    }),
    async (c) => c.json({ data: await takeReport(deps, c.get('claim'), c.req.valid('json')) }, 200),
  );

  app.openapi(
    createRoute({
      ...common,
      method: 'post',
      path: '/v1/runner/{task_id}/credentials',
      operationId: 'runnerCredentials',
      summary: 'Credentials for clone, push and model',
      middleware: [withToken, jsonBody({ optional: true })] as const,
      request: { params: taskParams },
      responses: { 200: json('The credentials.', dataOf(credentialsSchema)), ...failures },
    }),
    async (c) => {
      requireLive(c.get('claim'));
      const { task } = c.get('claim');
      const [credentials, model = null] = await Promise.all([
        deps.forgeCredentials(task.repo, {
          push: !deps.workflows.resolve(task.resolved_workflow.id).read_only,
        }),
        deps.modelAccess?.(task),
      ]);
      const git = credentials && { username: credentials.username, password: credentials.password };
      return c.json({ data: { git, model, expires_at: firstOf(credentials?.expiresAt, endOf(model)) } }, 200);
    },
  );
}

const endOf = (model: ModelAccess | null): string | null =>
  model?.provider === 'bedrock' ? model.expires_at : null;

/** The earliest of the times that there are. */
const firstOf = (...times: (string | null | undefined)[]): string | null =>
  times
    .filter((time) => time != null)
    .sort((a, b) => Date.parse(a) - Date.parse(b))
    .at(0) ?? null;
