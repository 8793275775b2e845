import { createRoute } from '@hono/zod-openapi';
import { BgAgentError } from '../../task/errors.ts';
import type { RepoConfig } from '../../task/repo.ts';
import type { ApiDeps } from '../deps.ts';
import type { ApiApp } from '../env.ts';
import { jsonBody } from '../middleware/body.ts';
import { requires } from '../middleware/requires.ts';
import { onboard } from '../onboard.ts';
import { pageAnswer } from '../paging.ts';
import { dataOf, pageOf, pageQuery } from '../schemas/envelope.ts';
import { putRepoSchema, repoDetailSchema, repoParams, repoPoliciesSchema } from '../schemas/repos.ts';
import { BODY_FAILURES, COMMON_FAILURES, json, keyWith, NOT_FOUND, UNPROCESSABLE } from './responses.ts';

const path = '/v1/repos/{repo}';
const one = json('The repository’s settings.', dataOf(repoDetailSchema));

/** Repositories that tasks may work on. `{repo}` is one URL-encoded segment: `octo%2Fhello`. */
export function repoRoutes(app: ApiApp, deps: ApiDeps): void {
  const { stores, now } = deps;

  async function known(reference: string): Promise<RepoConfig> {
    const { repo } = await deps.resolveRepo(reference);
    const config = await stores.repos.get(repo);
    if (config?.status !== 'active') throw new BgAgentError('REPO_NOT_FOUND', `${repo} is not onboarded`);
    return config;
  }

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/repos',
      operationId: 'listRepos',
      summary: 'List onboarded repositories',
      tags: ['repos'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read')] as const,
      request: { query: pageQuery(20) },
      responses: { 200: json('Repositories.', pageOf(repoDetailSchema)), ...COMMON_FAILURES },
    }),
    async (c) => {
      const { limit, next_token } = c.req.valid('query');
      const { items, nextToken } = await stores.repos.list({ limit, nextToken: next_token });
      return c.json(pageAnswer(items, nextToken), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path,
      operationId: 'getRepo',
      summary: 'Show a repository',
      tags: ['repos'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read')] as const,
      request: { params: repoParams },
      responses: { 200: one, ...COMMON_FAILURES, ...NOT_FOUND },
    }),
    async (c) => c.json({ data: await known(c.req.valid('param').repo) }, 200),
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/v1/repos/{repo}/policies',
      operationId: 'getRepoPolicies',
      summary: 'Show what decides over the actions of agents in a repository',
      tags: ['repos'],
      security: keyWith('tasks:read'),
      middleware: [requires(deps, 'tasks:read')] as const,
      request: { params: repoParams },
      responses: {
        200: json('None: approvals are not part of this version.', dataOf(repoPoliciesSchema)),
        ...COMMON_FAILURES,
        ...NOT_FOUND,
      },
    }),
    async (c) => {
      const { repo } = await known(c.req.valid('param').repo);
      return c.json({ data: { repo_id: repo, policies: { hard: [], soft: [] } } }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'put',
      path,
      operationId: 'putRepo',
      summary: 'Onboard a repository, or change its settings',
      tags: ['repos'],
      security: keyWith('admin'),
      middleware: [requires(deps, 'admin'), jsonBody()] as const,
      request: {
        params: repoParams,
        body: { required: true, content: { 'application/json': { schema: putRepoSchema } } },
      },
      responses: { 200: one, ...BODY_FAILURES, ...UNPROCESSABLE },
    }),
    async (c) => {
      const { repo } = await deps.resolveRepo(c.req.valid('param').repo);
      return c.json({ data: await onboard(deps, repo, c.req.valid('json')) }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'delete',
      path,
      operationId: 'removeRepo',
      summary: 'Remove a repository; its tasks stay, new ones are refused',
      tags: ['repos'],
      security: keyWith('admin'),
      middleware: [requires(deps, 'admin')] as const,
      request: { params: repoParams },
      responses: { 200: one, ...COMMON_FAILURES, ...NOT_FOUND },
    }),
    async (c) => {
      const config = await known(c.req.valid('param').repo);
      const removed = { ...config, status: 'removed' as const, updated_at: new Date(now()).toISOString() };
      await stores.repos.put(removed);
      return c.json({ data: removed }, 200);
    },
  );
}
