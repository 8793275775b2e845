import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { httpBackend } from '../../fixtures/git-server.ts';
import { canSee, checkPurpose, type Principal, principalOf, requirePermissions } from './access.ts';
import { countCall, type Failure, type Fault, limitHeaders, type RateLimits } from './faults.ts';
import { answerGit } from './git-http.ts';
import { answerGraphql } from './graphql.ts';
import { type Answer, type Call, notFound, Refusal, type Route } from './http.ts';
import { appRoutes } from './routes-app.ts';
import { issueRoutes } from './routes-issues.ts';
import { pullRoutes } from './routes-pulls.ts';
import { repoRoutes } from './routes-repo.ts';
import { answerWeb } from './web.ts';
import { fullName, type Permissions, type Repo, repoNamed, type World } from './world.ts';

const ROUTES: readonly Route[] = [...appRoutes, ...repoRoutes, ...pullRoutes, ...issueRoutes];
const API = '/api/v3';

export interface SeenRequest {
  method: string;
  /** Below the API, or from the root for git and the web. */
  path: string;
  /** What kind of token came along, and what it may do. */
  as: Principal['kind'];
  permissions: Permissions | null;
  status: number;
}

export interface Server {
  url: string;
  close(): Promise<void>;
}

export interface ServerState {
  world: World;
  faults: Fault[];
  limits: RateLimits;
  requests: SeenRequest[];
}

export async function startServer(state: ServerState): Promise<Server> {
  const backend = httpBackend();
  let url = '';
  const server = createServer((request, response) => {
    const fail = (error: unknown): void => {
      state.world.violations.push(`the fake failed: ${error instanceof Error ? error.stack : String(error)}`);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    };
    handle(state, { url, backend }, request, response).catch(fail);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function handle(
  state: ServerState,
  { url, backend }: { url: string; backend: string },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { world } = state;
  const { pathname, searchParams } = new URL(request.url ?? '/', url);
  const method = request.method ?? 'GET';
  if (/[?&](access_token|token)=/.test(request.url ?? ''))
    world.violations.push(`a token is in the address of ${method} ${pathname}`);
  const isApi = pathname.startsWith(`${API}/`) || pathname === '/api/graphql';
  const path = pathname.startsWith(API) ? pathname.slice(API.length) : pathname;
  const failure = takeFault(state.faults, method, path);
  if (failure?.kind === 'silence') return;
  if (failure?.kind === 'drop' && !failure.effect) return void request.socket.destroy();
  if (failure?.kind === 'answer' && !failure.effect) {
    state.requests.push({ method, path, as: 'nobody', permissions: null, status: failure.status });
    request.resume();
    return send(response, state, failure);
  }
  if (!isApi && /\.git\//.test(pathname)) {
    answerGit(state, { request, response, backend, path: pathname });
    return;
  }
  const body = await readBody(request);
  if (!isApi)
    return send(response, state, answerWeb(world, { method, path, query: searchParams, body, url }));

  const answer = answerApi(state, {
    url,
    method,
    path,
    query: searchParams,
    body: parseJson(body),
    authorization: request.headers.authorization,
  });
  if (failure?.kind === 'drop') return void request.socket.destroy();
  send(response, state, failure?.kind === 'answer' ? failure : answer);
}

function answerApi(
  state: ServerState,
  input: {
    url: string;
    method: string;
    path: string;
    query: URLSearchParams;
    body: Record<string, unknown>;
    authorization: string | undefined;
  },
): Answer {
  const { world, limits } = state;
  const { url, method, query, body } = input;
  const seen: SeenRequest = { method, path: input.path, as: 'nobody', permissions: null, status: 0 };
  state.requests.push(seen);
  let scopes: Record<string, string> = {};
  const answer = ((): Answer => {
    try {
      const principal = principalOf(world, input.authorization);
      seen.as = principal.kind;
      checkPurpose(world, principal, 'api');
      if (principal.kind === 'classic')
        scopes = {
          'x-oauth-scopes': principal.scopes.join(', '),
          ...(principal.expires === null
            ? {}
            : { 'github-authentication-token-expiration': principal.expires }),
        };
      seen.permissions = 'permissions' in principal ? principal.permissions : null;
      const moved = redirected(world, input.path, `${url}${API}`, method, query);
      if (moved) return moved;
      const path = decodeURIComponent(input.path).replace(/^\/repositories\/(\d+)/, (_, id: string) => {
        const repo = world.repos.find((each) => String(each.id) === id);
        return repo ? `/repos/${fullName(repo)}` : '/nowhere';
      });
      const base = { world, apiUrl: `${url}${API}`, webUrl: url, method, path, query, body, principal };
      if (path === '/api/graphql') return graphql({ ...base, params: {}, repo: NONE });
      const route = ROUTES.find((each) => each.method === method && each.pattern.test(path));
      const over = countCall(limits, world, route?.creates ?? false);
      if (over) return over;
      if (!route) throw notFound();
      const params = { ...route.pattern.exec(path)?.groups };
      const repo = params.owner === undefined ? NONE : repoNamed(world, `${params.owner}/${params.repo}`);
      const call: Call = { ...base, params, repo: repo ?? NONE };
      checkAccess(call, route);
      return route.handle(call);
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      throw error;
    }
  })();
  seen.status = answer.status;
  return { ...answer, headers: { ...scopes, ...answer.headers } };
}

function checkAccess({ principal, repo, world, params, method }: Call, { access }: Route): void {
  if (access === 'anyone') return;
  if (access === 'app') {
    if (principal.kind !== 'app') throw new Refusal(401, 'A JSON web token could not be decoded');
    if (params.owner !== undefined && repo === NONE) throw notFound();
    return;
  }
  if (access === 'token') {
    if (principal.kind === 'nobody') throw new Refusal(401, 'Requires authentication');
    return;
  }
  if (repo === NONE || !canSee(world, principal, repo)) throw notFound();
  requirePermissions(principal, repo, access);
  if (repo.archived && method !== 'GET') throw new Refusal(403, 'Repository was archived so is read-only.');
}

function graphql(call: Call): Answer {
  if (call.principal.kind === 'nobody')
    throw new Refusal(401, 'This endpoint requires you to be authenticated.');
  const { owner, name } = isRecord(call.body.variables) ? call.body.variables : {};
  const repo = repoNamed(call.world, `${String(owner)}/${String(name)}`);
  if (!repo || !canSee(call.world, call.principal, repo))
    return {
      status: 200,
      body: {
        data: { repository: null },
        errors: [{ type: 'NOT_FOUND', message: 'Could not resolve to a Repository' }],
      },
    };
  try {
    requirePermissions(call.principal, repo, [{ pull_requests: 'read' }]);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return {
      status: 200,
      body: { data: { repository: null }, errors: [{ type: 'FORBIDDEN', message: error.message }] },
    };
  }
  return { status: 200, body: answerGraphql(call) };
}

/** A repository's old name leads on: GET by 301, everything else by 307. */
function redirected(
  world: World,
  path: string,
  apiUrl: string,
  method: string,
  query: URLSearchParams,
): Answer | undefined {
  const [, name = '', rest = ''] = /^\/repos\/([^/]+\/[^/]+)(.*)$/.exec(path) ?? [];
  const repo = world.renames.get(name.toLowerCase());
  if (!repo) return undefined;
  const search = query.size > 0 ? `?${query}` : '';
  const location = `${apiUrl}/repositories/${repo.id}${rest}${search}`;
  return {
    status: method === 'GET' ? 301 : 307,
    body: { message: 'Moved Permanently', url: location },
    headers: { location },
  };
}

const NONE: Repo = {
  id: 0,
  owner: '',
  name: '',
  gitDir: '',
  defaultBranch: '',
  private: true,
  archived: false,
  drafts: true,
  collaborators: new Map(),
  teams: new Set(),
  issues: new Map(),
  protectedBranches: new Set(),
  rules: [],
  forkOf: null,
  deleted: true,
};

function takeFault(faults: Fault[], method: string, path: string): Failure | undefined {
  const index = faults.findIndex(
    (fault) => (fault.method ?? method) === method && (fault.path?.test(path) ?? true),
  );
  const fault = faults[index];
  if (!fault) return undefined;
  if ((fault.after ?? 0) > 0) {
    faults[index] = { ...fault, after: (fault.after ?? 0) - 1 };
    return undefined;
  }
  const left = (fault.times ?? 1) - 1;
  if (left <= 0) faults.splice(index, 1);
  else faults[index] = { ...fault, times: left };
  return fault.failure;
}

function send(response: ServerResponse, { limits, world }: ServerState, answer: Answer): void {
  const { status, body, headers = {} } = answer;
  const isHtml = typeof body === 'string';
  response.writeHead(status, {
    date: new Date(world.now()).toUTCString(),
    'content-type': isHtml ? 'text/html' : 'application/json; charset=utf-8',
    ...limitHeaders(limits),
    ...headers,
  });
  response.end(body === undefined ? undefined : isHtml ? body : JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): Record<string, unknown> {
  if (text === '') return {};
  const value: unknown = JSON.parse(text);
  return isRecord(value) ? value : {};
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
