import { createAppAuth } from '@octokit/auth-app';
import { splitName } from './addresses.ts';
import { type Client, type ClientOptions, createClient } from './client.ts';
import type { Identity } from './credentials.ts';
import { GitHubFailure, hasStatus, namePermission } from './failures.ts';

export type Level = 'read' | 'write';
export type Permissions = Readonly<Record<string, Level>>;

export interface Installation {
  id: number;
  permissions: Permissions;
  /** The repository's id, when its name is an old one. */
  repositoryId: number | null;
  /** Where a person changes what it may do. */
  url: string;
}

export interface InstallationToken {
  value: string;
  expiresAt: string;
  expiresAtMs: number;
}

/** Tokens of one GitHub App, each for a single repository and no more permissions than asked for. */
export interface Installations {
  /** Throws REPO_NOT_FOUND_OR_NO_ACCESS when the App isn't installed there. */
  on(repo: string): Promise<Installation>;
  /** Lasts ten more minutes at least. Permissions that the App wasn't given are left out. */
  token(repo: string, wanted: Permissions): Promise<InstallationToken>;
  /** Forgets what is known of the repository: a token was refused, or permissions may have changed. */
  forget(repo: string): void;
  /** Speaks as the App itself. */
  client: Client;
}

const LEAST_LIFE_MS = 10 * 60_000;
const REMEMBER_MS = 5 * 60_000;

export function createInstallations(
  options: ClientOptions,
  { appId, privateKey, key }: Extract<Identity, { kind: 'app' }>,
): Installations {
  const { now } = options;
  const client = createClient(
    options,
    { key, target: `the GitHub App ${appId}`, authorization: async () => null, renew: async () => false },
    { authStrategy: createAppAuth, auth: { appId, privateKey } },
  );
  const known = new Map<string, { at: number; installation: Promise<Installation> }>();
  const tokens = new Map<string, Promise<InstallationToken>>();

  async function find(repo: string): Promise<Installation> {
    const { data, url } = await client
      .request('GET /repos/{owner}/{repo}/installation', splitName(repo))
      .catch((error: unknown) => {
        if (!hasStatus(error, 404)) throw error;
        throw new GitHubFailure(
          'REPO_NOT_FOUND_OR_NO_ACCESS',
          `${repo} is not there, or the GitHub App ${appId} is not installed on it`,
          error,
        );
      });
    if (data.suspended_at != null)
      throw new GitHubFailure(
        'REPO_NOT_FOUND_OR_NO_ACCESS',
        `the installation of the GitHub App ${appId} on ${repo} is suspended: resume it at ${data.html_url}`,
        { status: 403, said: 'suspended' },
      );
    // An old name leads to the address by id.
    const id = /\/repositories\/(\d+)\/installation/.exec(url)?.[1];
    return {
      id: data.id,
      permissions: levelsOf(data.permissions),
      repositoryId: id === undefined ? null : Number(id),
      url: data.html_url,
    };
  }

  const on = (repo: string): Promise<Installation> => {
    const found = known.get(repo);
    if (found && found.at > now() - REMEMBER_MS) return found.installation;
    const installation = find(repo);
    known.set(repo, { at: now(), installation });
    installation.catch(() => known.delete(repo));
    return installation;
  };

  async function issue(repo: string, wanted: Permissions): Promise<InstallationToken> {
    const { id, permissions: granted, repositoryId } = await on(repo);
    const permissions = narrowed(wanted, granted);
    const { data } = await client
      .request('POST /app/installations/{installation_id}/access_tokens', {
        installation_id: id,
        permissions,
        ...(repositoryId === null
          ? { repositories: [splitName(repo).repo] }
          : { repository_ids: [repositoryId] }),
      })
      .catch((error: unknown) => {
        if (!hasStatus(error, 422)) throw error;
        throw new GitHubFailure(
          'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
          `the GitHub App ${appId} can not get a token for ${repo}: ${error.said}`,
          error,
        );
      });
    return { value: data.token, expiresAt: data.expires_at, expiresAtMs: Date.parse(data.expires_at) };
  }

  return {
    client,
    on,
    async token(repo, wanted) {
      const name = `${repo} ${JSON.stringify(Object.entries(wanted).sort())}`;
      const before = await tokens.get(name);
      if (before && before.expiresAtMs - now() > LEAST_LIFE_MS) return before;
      const pending = issue(repo, wanted);
      tokens.set(name, pending);
      pending.catch(() => tokens.delete(name));
      return pending;
    },
    forget(repo) {
      known.delete(repo);
      for (const name of tokens.keys()) if (name.startsWith(`${repo} `)) tokens.delete(name);
    },
  };
}

const rank = (level: string | undefined): number =>
  level === 'write' || level === 'admin' ? 2 : level === 'read' ? 1 : 0;

/** What is wanted and granted both. */
function narrowed(wanted: Permissions, granted: Permissions): Record<string, Level> {
  const result: Record<string, Level> = {};
  for (const [name, level] of Object.entries(wanted)) {
    const least = Math.min(rank(level), rank(granted[name]));
    if (least > 0) result[name] = least === 2 ? 'write' : 'read';
  }
  return result;
}

/** What is wanted and not granted, in words. */
export const missingPermissions = (wanted: Permissions, granted: Permissions): string[] =>
  Object.entries(wanted)
    .filter(([name, level]) => name !== 'metadata' && rank(granted[name]) < rank(level))
    .map(([name, level]) => namePermission(name, level));

const levelsOf = (permissions: object): Permissions =>
  Object.fromEntries(
    Object.entries(permissions).flatMap(([name, level]) =>
      rank(String(level)) === 0 ? [] : [[name, rank(String(level)) === 2 ? 'write' : 'read'] as const],
    ),
  );
