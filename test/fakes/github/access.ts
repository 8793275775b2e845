import { verify } from 'node:crypto';
import { Refusal } from './http.ts';
import { type App, fullName, type Permissions, type Repo, type Token, type World } from './world.ts';

/** Who is asking, and whether they may. */

export type Principal = { kind: 'nobody' } | { kind: 'app'; app: App } | Token;

/** Permissions that the platform may ever ask an installation token to have. */
const ALLOWED = ['contents', 'pull_requests', 'issues', 'workflows', 'metadata', 'checks'];
const RANK = { read: 1, write: 2 };

export function principalOf(world: World, authorization: string | undefined): Principal {
  if (authorization === undefined) return { kind: 'nobody' };
  const [scheme = '', value = ''] = authorization.split(' ');
  const token = /^basic$/i.test(scheme)
    ? Buffer.from(value, 'base64')
        .toString('utf8')
        .replace(/^[^:]*:/, '')
    : value;
  if (token.split('.').length === 3) return { kind: 'app', app: appOf(world, token) };
  const found = world.tokens.get(token);
  if (!found) {
    world.violations.push('a token that was never issued was used');
    throw new Refusal(401, 'Bad credentials');
  }
  if (found.revoked || (found.kind === 'installation' && found.expiresAtMs <= world.now()))
    throw new Refusal(401, 'Bad credentials');
  return found;
}

/** Checks an App's JWT as GitHub does: signature, times, and in its words. */
function appOf(world: World, jwt: string): App {
  const [head = '', body = '', signature = ''] = jwt.split('.');
  const read = (part: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  const { alg } = read(head);
  const { iss, iat, exp } = read(body);
  const app = world.apps.find(({ id }) => String(id) === String(iss));
  if (!app) throw new Refusal(404, 'Integration not found');
  const signed = Buffer.from(`${head}.${body}`);
  if (alg !== 'RS256' || !verify('RSA-SHA256', signed, app.publicKey, Buffer.from(signature, 'base64url')))
    throw new Refusal(401, 'A JSON web token could not be decoded');
  const seconds = Math.floor(world.now() / 1_000);
  if (typeof iat !== 'number' || iat > seconds)
    throw new Refusal(
      401,
      "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
    );
  if (typeof exp !== 'number' || exp <= seconds)
    throw new Refusal(
      401,
      "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
    );
  if (exp > seconds + 600) throw new Refusal(401, "'Expiration time' claim ('exp') is too far in the future");
  return app;
}

export function loginOf(principal: Principal): string {
  if (principal.kind === 'installation') return `${principal.installation.app.slug}[bot]`;
  if (principal.kind === 'app') return `${principal.app.slug}[bot]`;
  return principal.kind === 'nobody' ? 'ghost' : principal.login;
}

export const roleOf = (repo: Repo, login: string): 'read' | 'write' | null =>
  login === repo.owner ? 'write' : (repo.collaborators.get(login) ?? (repo.private ? null : 'read'));

/** Whether the repository exists for this principal. */
export function canSee(world: World, principal: Principal, repo: Repo): boolean {
  if (principal.kind === 'nobody' || principal.kind === 'app') return !repo.private;
  if (principal.kind === 'installation') {
    if (principal.repos.has(repo.id)) return true;
    world.violations.push(`a token of other repositories was used on ${fullName(repo)}`);
    return !repo.private;
  }
  if (roleOf(repo, principal.login) === null) return false;
  if (principal.kind === 'classic') return !repo.private || principal.scopes.includes('repo');
  return principal.repos === 'all' || principal.repos.includes(fullName(repo)) || !repo.private;
}

const covers = (granted: Permissions, wanted: Permissions): boolean =>
  Object.entries(wanted).every(
    ([name, level]) =>
      name === 'metadata' || RANK[granted[name] ?? 'read'] * (granted[name] ? 1 : 0) >= RANK[level],
  );

const isPush = (wanted: readonly Permissions[]): boolean =>
  wanted.every((set) => Object.values(set).includes('write'));

/** Whether the token's own permissions hold one of the sets. The person behind a token must have the right, too. */
export function mayDo(principal: Principal, repo: Repo, wanted: readonly Permissions[]): boolean {
  if (principal.kind === 'nobody' || principal.kind === 'app') return !repo.private && !isPush(wanted);
  if (principal.kind === 'installation') {
    if (!principal.repos.has(repo.id)) return !repo.private && !isPush(wanted);
    return wanted.some((set) => covers(principal.permissions, set));
  }
  // Everyone who may read may comment; labels, branches and pull requests need the right to push.
  if (wanted.some((set) => set.contents === 'write') && roleOf(repo, principal.login) !== 'write')
    return false;
  if (principal.kind === 'classic')
    return (
      principal.scopes.includes('repo') ||
      (!repo.private && (!isPush(wanted) || principal.scopes.includes('public_repo')))
    );
  if (principal.repos !== 'all' && !principal.repos.includes(fullName(repo)))
    return !repo.private && !isPush(wanted);
  return wanted.some((set) => covers(principal.permissions, set));
}

/** A call without the right is answered as GitHub answers it, with the permissions that would do. */
export function requirePermissions(principal: Principal, repo: Repo, wanted: readonly Permissions[]): void {
  if (mayDo(principal, repo, wanted)) return;
  if (principal.kind === 'nobody') throw new Refusal(401, 'Requires authentication');
  const accepted = wanted
    .map((set) =>
      Object.entries(set)
        .map(([name, level]) => `${name}=${level}`)
        .join(','),
    )
    .join('; ');
  if (principal.kind === 'classic') throw new Refusal(404, 'Not Found');
  throw new Refusal(
    403,
    principal.kind === 'installation'
      ? 'Resource not accessible by integration'
      : 'Resource not accessible by personal access token',
    {},
    { 'x-accepted-github-permissions': accepted },
  );
}

/** Tokens for git are for git, those for the API can't push. */
export function checkPurpose(world: World, principal: Principal, use: 'git' | 'api'): void {
  if (principal.kind !== 'installation') return;
  const { contents, issues, pull_requests } = principal.permissions;
  if (use === 'api' && contents === 'write')
    world.violations.push('a token that may push was used on the API');
  if (use === 'git' && (issues ?? pull_requests) !== undefined)
    world.violations.push('a token for issues and pull requests was given to git');
}

/** An installation token must be as narrow as the work: one repository, and only what the platform uses. */
export function checkNarrow(
  world: World,
  asked: { repositories: readonly unknown[] | null; permissions: Permissions | null },
): void {
  if (asked.repositories?.length !== 1)
    world.violations.push('an installation token was asked for that is not narrowed to one repository');
  if (asked.permissions === null)
    world.violations.push('an installation token was asked for without naming its permissions');
  for (const name of Object.keys(asked.permissions ?? {}))
    if (!ALLOWED.includes(name))
      world.violations.push(`an installation token was asked for with the permission ${name}`);
}
