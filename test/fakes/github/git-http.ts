import type { IncomingMessage, ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { serveGit } from '../../fixtures/git-server.ts';
import { canSee, checkPurpose, loginOf, mayDo, type Principal, principalOf } from './access.ts';
import { syncPulls } from './git.ts';
import { Refusal } from './http.ts';
import type { ServerState } from './server.ts';
import { fullName, type Repo, repoNamed, type World } from './world.ts';

/** git over smart HTTP, let in by token as the API does. */
export function answerGit(
  state: ServerState,
  {
    request,
    response,
    backend,
    path,
  }: { request: IncomingMessage; response: ServerResponse; backend: string; path: string },
): void {
  const { world } = state;
  const [, name = '', rest = ''] = /^\/([^/]+\/[^/]+?)\.git(\/.*)$/.exec(path) ?? [];
  const say = (status: number, text: string, headers: Record<string, string> = {}): void => {
    state.requests.push({ method: request.method ?? 'GET', path, as: 'nobody', permissions: null, status });
    request.resume();
    response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(text);
  };
  const pushes = rest === '/git-receive-pack' || /service=git-receive-pack/.test(request.url ?? '');
  const entry = admit(world, name, request.headers.authorization, pushes);
  if ('moved' in entry) {
    const { search } = new URL(request.url ?? '', 'http://localhost');
    say(301, '', { location: `/${entry.moved}.git${rest}${search}` });
    return;
  }
  if ('status' in entry) {
    say(
      entry.status,
      entry.reason,
      entry.status === 401 ? { 'www-authenticate': 'Basic realm="GitHub"' } : {},
    );
    return;
  }
  const { principal, repo } = entry;
  syncPulls(repo);
  const permissions = 'permissions' in principal ? principal.permissions : null;
  state.requests.push({
    method: request.method ?? 'GET',
    path,
    as: principal.kind,
    permissions,
    status: 200,
  });
  const refusal = workflowRefusal(principal);
  serveGit(request, response, {
    folder: dirname(repo.gitDir),
    backend,
    path: `/hello.git${rest}`,
    user: pushes ? loginOf(principal) : null,
    config:
      refusal !== null && rest === '/git-receive-pack' ? [['receive.procReceiveRefs', 'refs/heads']] : [],
    env: refusal === null ? {} : { FAKE_WORKFLOW_REFUSAL: refusal },
  });
}

type Entry = { principal: Principal; repo: Repo } | { status: number; reason: string } | { moved: string };

function admit(world: World, name: string, authorization: string | undefined, pushes: boolean): Entry {
  const moved = world.renames.get(name.toLowerCase());
  if (moved) return { moved: fullName(moved) };
  let principal: Principal;
  try {
    principal = principalOf(world, authorization);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { status: 401, reason: 'Invalid username or token.' };
  }
  checkPurpose(world, principal, 'git');
  const repo = repoNamed(world, name);
  const isNobody = principal.kind === 'nobody';
  if (!repo || !canSee(world, principal, repo))
    return isNobody ? { status: 401, reason: '' } : { status: 404, reason: 'Repository not found.' };
  if (!mayDo(principal, repo, [{ contents: pushes ? 'write' : 'read' }])) {
    if (isNobody) return { status: 401, reason: '' };
    return { status: 403, reason: `${pushes ? 'Write access' : 'Access'} to repository not granted.` };
  }
  if (pushes && repo.archived)
    return { status: 403, reason: 'This repository was archived so it is read-only.' };
  return { principal, repo };
}

/** Why a push that changes workflow files is refused; null when the token may. */
function workflowRefusal(principal: Principal): string | null {
  if (principal.kind === 'installation')
    return principal.permissions.workflows === 'write'
      ? null
      : 'refusing to allow a GitHub App to create or update workflow `%s` without `workflows` permission';
  if (principal.kind === 'classic')
    return principal.scopes.includes('workflow')
      ? null
      : 'refusing to allow a Personal Access Token to create or update workflow `%s` without `workflow` scope';
  return principal.kind === 'fine-grained' && principal.permissions.workflows !== 'write'
    ? 'refusing to allow a Personal Access Token to create or update workflow `%s` without `workflows` permission'
    : null;
}
