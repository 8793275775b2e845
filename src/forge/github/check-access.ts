import { addressesOf, splitName } from './addresses.ts';
import { type Client, type ClientOptions, createClient } from './client.ts';
import { identityOfApp } from './credentials.ts';
import { GitHubFailure, hasStatus, namePermission } from './failures.ts';
import { createInstallations, missingPermissions, type Permissions } from './installations.ts';
import { pushProblem } from './push-right.ts';

/** One thing that the platform needs, and whether the credentials have it. */
export interface AccessCheck {
  what: string;
  /** null: that can't be known without doing it. */
  ok: boolean | null;
  /** What is missing, or how it stands. */
  detail: string;
}

export interface TokenAccess {
  login: string;
  kind: 'classic' | 'fine-grained';
  /** ISO 8601, as far as GitHub tells; null when it has no end. */
  expiresAt: string | null;
  checks: AccessCheck[];
}

export interface AppAccess {
  slug: string;
  /** Where it is installed. */
  installUrl: string;
  checks: AccessCheck[];
}

const NEEDED: Permissions = { contents: 'write', pull_requests: 'write', issues: 'write' };
const EXPIRY = 'github-authentication-token-expiration';

/**
 * What a token may do, without leaving a trace. Fine-grained tokens tell nothing by themselves: with a repository they are tried on it.
 * Throws GITHUB_CREDENTIALS_REFUSED for a token that isn't good.
 */
export async function checkToken(
  options: ClientOptions,
  { token, repo, workflowFiles }: { token: string; repo: string | null; workflowFiles: boolean },
): Promise<TokenAccess> {
  const client = createClient(options, {
    key: 'setup',
    target: repo ?? 'this token',
    authorization: async () => `token ${token}`,
    renew: async () => false,
  });
  const { data, headers } = await client.request('GET /user');
  const scopes = headers['x-oauth-scopes'];
  const kind = scopes === undefined ? 'fine-grained' : 'classic';
  const held = String(scopes ?? '').split(/,\s*/);
  const checks: AccessCheck[] = [];
  if (kind === 'classic') {
    checks.push(scopeCheck('repo', held, 'repositories, issues and pull requests'));
    if (workflowFiles) checks.push(scopeCheck('workflow', held, 'files in .github/workflows'));
  } else if (repo === null)
    checks.push({
      what: 'permissions',
      ok: null,
      detail: 'a fine-grained token shows what it may do only on a repository: give --repo owner/name',
    });
  if (repo !== null) checks.push(...(await checkOnRepo(client, options, { token, repo, scopes })));
  return { login: data.login, kind, expiresAt: expiryOf(headers), checks };
}

const scopeCheck = (scope: string, held: readonly string[], what: string): AccessCheck => ({
  what,
  ok: held.includes(scope),
  detail: held.includes(scope) ? `the scope "${scope}"` : `the scope "${scope}" is missing`,
});

async function checkOnRepo(
  client: Client,
  { apiUrl, timeoutMs }: ClientOptions,
  { token, repo: name, scopes }: { token: string; repo: string; scopes: string | number | undefined },
): Promise<AccessCheck[]> {
  const { owner, repo } = splitName(name);
  const target = { owner, repo };
  let data: Awaited<ReturnType<typeof askRepo>>['data'];
  try {
    ({ data } = await askRepo(client, target));
  } catch (error) {
    if (!hasStatus(error, 403, 404)) throw error;
    return [{ what: name, ok: false, detail: 'it is not there, or the token may not see it' }];
  }
  const problem = await pushProblem(
    { web: addressesOf(apiUrl).web, fullName: data.full_name, token, timeoutMs },
    { mayPush: data.permissions?.push ?? false, scopes, isPrivate: data.private },
  );
  const branch = data.default_branch;
  return [
    { what: `clone and push ${name}`, ok: problem === null, detail: problem ?? 'works' },
    await tried('open pull requests', namePermission('pull_requests', 'write'), () =>
      // From a branch into itself: refused by everyone, but only after the right to it was looked at.
      client.request('POST /repos/{owner}/{repo}/pulls', {
        ...target,
        title: 'x',
        head: branch,
        base: branch,
      }),
    ),
    await tried('read issues', namePermission('issues', 'write'), () =>
      client.request('GET /repos/{owner}/{repo}/issues', { ...target, per_page: 1 }),
    ),
  ];
}

const askRepo = (client: Client, target: { owner: string; repo: string }) =>
  client.request('GET /repos/{owner}/{repo}', target);

async function tried(what: string, right: string, attempt: () => Promise<unknown>): Promise<AccessCheck> {
  try {
    await attempt();
  } catch (error) {
    if (error instanceof GitHubFailure && hasStatus(error, 403, 404))
      return { what, ok: false, detail: `the permission ${right} is missing (${error.said})` };
    if (!hasStatus(error, 410, 422)) throw error;
  }
  return { what, ok: true, detail: 'works' };
}

/** GitHub writes `2027-01-01 00:00:00 UTC`. */
function expiryOf(headers: Readonly<Record<string, unknown>>): string | null {
  const at = Date.parse(String(headers[EXPIRY] ?? ''));
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}

/** Whether App and key fit, where it is installed, and with which permissions. Throws GITHUB_CREDENTIALS_REFUSED. */
export async function checkApp(
  options: ClientOptions,
  {
    appId,
    privateKey,
    repo,
    workflowFiles,
  }: { appId: string; privateKey: string; repo: string | null; workflowFiles: boolean },
): Promise<AppAccess> {
  const identity = identityOfApp(appId, privateKey);
  if (identity.kind !== 'app') throw new TypeError('an App is no token');
  const installations = createInstallations(options, identity);
  const { data: app } = await installations.client.request('GET /app');
  const slug = app?.slug ?? appId;
  const wanted: Permissions = { ...NEEDED, ...(workflowFiles ? { workflows: 'write' } : {}) };
  const { data: found } = await installations.client.request('GET /app/installations', { per_page: 100 });
  const checks: AccessCheck[] = found.map(
    ({ account, permissions, repository_selection, html_url, suspended_at }) => {
      const owner = account && 'login' in account ? account.login : 'an enterprise';
      const missing = missingPermissions(wanted, levelsOf(permissions));
      const where = repository_selection === 'all' ? 'all repositories' : 'chosen repositories';
      if (suspended_at != null)
        return { what: owner, ok: false, detail: `suspended: resume it at ${html_url}` };
      return missing.length > 0
        ? { what: owner, ok: false, detail: `lacks ${missing.join(' and ')}: accept it at ${html_url}` }
        : { what: owner, ok: true, detail: where };
    },
  );
  if (repo !== null) checks.push(await checkInstalledOn(repo, () => installations.on(repo)));
  return { slug, installUrl: `${app?.html_url ?? ''}/installations/new`, checks };
}

async function checkInstalledOn(repo: string, find: () => Promise<unknown>): Promise<AccessCheck> {
  try {
    await find();
    return { what: repo, ok: true, detail: 'installed' };
  } catch (error) {
    if (error instanceof GitHubFailure && error.code === 'REPO_NOT_FOUND_OR_NO_ACCESS')
      return { what: repo, ok: false, detail: error.message };
    throw error;
  }
}

const levelsOf = (permissions: object): Permissions =>
  Object.fromEntries(
    Object.entries(permissions).flatMap(([name, level]) =>
      level === 'read' || level === 'write' ? [[name, level] as const] : [],
    ),
  );
