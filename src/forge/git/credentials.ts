import type { RepoStore } from '../../stores/repo-store.ts';
import type { SecretStore } from '../../stores/secret-store.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { GitCredentials } from './git.ts';

/** Hosts take a token with any user name; this is the one that GitHub documents. */
const TOKEN_USER = 'x-access-token';

/** What the platform keeps for itself must not be sent to a remote that somebody names. */
const OWN_SECRETS = 'bgagent/';

/**
 * What a repository's `token_secret` names: a token, or `user:password`. Null when the repository names none. Throws
 * REPO_UNREACHABLE when it names one that isn't there.
 */
export function createRepoCredentials({
  repos,
  secrets,
  reserved = [],
}: {
  repos: Pick<RepoStore, 'get'>;
  secrets: Pick<SecretStore, 'get'>;
  /** Names of further secrets that are the platform's own. Default: none. */
  reserved?: readonly string[];
}): (repo: string) => Promise<GitCredentials | null> {
  return async (repo) => {
    const name = (await repos.get(repo))?.token_secret ?? null;
    if (name === null) return null;
    if (name.startsWith(OWN_SECRETS) || reserved.includes(name))
      throw new BgAgentError(
        'REPO_UNREACHABLE',
        `the secret ${name}, which token_secret of ${repo} names, is the platform's own; store the token under another name`,
        { field: 'token_secret' },
      );
    const value = (await secrets.get(name))?.trim();
    if (value === undefined || value === '')
      throw new BgAgentError(
        'REPO_UNREACHABLE',
        `the secret ${name}, which token_secret of ${repo} names, is not set`,
        { field: 'token_secret' },
      );
    const colon = value.indexOf(':');
    return colon === -1
      ? { username: TOKEN_USER, password: value }
      : { username: value.slice(0, colon), password: value.slice(colon + 1) };
  };
}
