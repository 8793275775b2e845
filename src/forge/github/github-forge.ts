import { setTimeout as delay } from 'node:timers/promises';
import { checkBranchName } from '../../task/check-branch.ts';
import type { Log } from '../../task/log.ts';
import type { Forge } from '../forge.ts';
import { addressesOf, encodeRef } from './addresses.ts';
import { createIdentities, type IdentityOptions } from './credentials.ts';
import type { Permissions } from './installations.ts';
import { createPace } from './pace.ts';
import type { Session, Sessions } from './sessions.ts';

export interface GitHubForgeOptions extends IdentityOptions {
  /** Default `https://api.github.com`. A company's server: `https://ghe.example.com/api/v3`. Pages and git follow from it. */
  apiUrl?: string;
  /** Whether pushes may change files in `.github/workflows`, as far as the App may. Default false. */
  workflowFiles?: boolean;
  log: Log;
  /** Milliseconds since the epoch. Default: the clock. */
  now?: () => number;
  /** Default: a timer. */
  sleep?(ms: number): Promise<void>;
  /** Milliseconds for one answer. Default 30,000. */
  timeoutMs?: number;
  /** The longest wait for a limit within a call; beyond it, the call ends with GITHUB_RATE_LIMITED. Default 90,000. */
  maxWaitMs?: number;
  /** Calls that create content, a minute: GitHub takes about 80. Default 80. */
  contentPerMinute?: number;
}

/** GitHub, and servers that speak its API: branches, issues, pull requests and reviews. */
export function createGitHubForge(options: GitHubForgeOptions): Forge {
  const {
    apiUrl = 'https://api.github.com',
    workflowFiles = false,
    log,
    now = Date.now,
    sleep = (ms) => delay(ms),
    timeoutMs = 30_000,
    maxWaitMs = 90_000,
    contentPerMinute = 80,
  } = options;
  const addresses = addressesOf(apiUrl);
  const pace = createPace({ now, sleep, contentPerMinute, maxWaitMs });
  const identityFor = createIdentities(options);

  // The client library is loaded with the first call, not with the platform.
  let loading: Promise<Sessions> | undefined;
  const open = async (repo: string): Promise<Session> => {
    loading ??= import('./sessions.ts').then(({ createSessions }) =>
      createSessions({ apiUrl: addresses.api, pace, now, sleep, timeoutMs, log }, identityFor),
    );
    return (await loading).open(repo);
  };

  return {
    type: 'github',

    async preflight(repo, needs = {}) {
      const session = await open(repo);
      const { preflight } = await import('./preflight.ts');
      return preflight(session, addresses, needs, { workflowFiles, timeoutMs });
    },

    async branchHead(repo, branch) {
      checkBranchName(branch);
      const session = await open(repo);
      const { headOf } = await import('./preflight.ts');
      const head = await headOf(session, branch);
      // "Not there" is the same answer for a branch and for its repository.
      const { client, owner, repo: name } = session;
      if (head === null) await client.request('GET /repos/{owner}/{repo}', { owner, repo: name });
      return head;
    },

    async credentials(repo, { push = true } = {}) {
      const { identity, installations } = await open(repo);
      if (!installations)
        return identity.kind === 'token'
          ? { username: TOKEN_USER, password: identity.token, expiresAt: null }
          : null;
      const wanted: Permissions = push
        ? { contents: 'write', ...(workflowFiles ? { workflows: 'write' } : {}) }
        : { contents: 'read' };
      const { value, expiresAt } = await installations.token(repo, wanted);
      return { username: TOKEN_USER, password: value, expiresAt };
    },

    compareUrl: (repo, base, branch) =>
      `${addresses.web}/${repo}/compare/${encodeRef(base)}...${encodeRef(branch)}`,

    collaboration: {
      async issue(repo, number) {
        const { readIssue } = await import('./read.ts');
        return readIssue(await open(repo), number);
      },
      async pullRequest(repo, number) {
        const { readPullRequest } = await import('./read.ts');
        return readPullRequest(await open(repo), number);
      },
      async openPullRequest(repo, draft) {
        const { openPullRequest } = await import('./open-pull-request.ts');
        return openPullRequest(await open(repo), draft, sleep);
      },
      async comment(repo, number, comment) {
        const { commentOnce } = await import('./comment.ts');
        return commentOnce(await open(repo), number, comment, sleep);
      },
      async mayPush(repo, login) {
        const { mayPush } = await import('./people.ts');
        return mayPush(await open(repo), login);
      },
      async postReview(repo, number, review) {
        const { postReview } = await import('./review.ts');
        return postReview(await open(repo), number, review, sleep);
      },
    },
  };
}

/** Any user name does; this is the one that GitHub documents. */
const TOKEN_USER = 'x-access-token';
