import { join } from 'node:path';
import type {
  Collaboration,
  Comment,
  IssueThread,
  PullRequestDraft,
  PullRequestThread,
  ReviewDraft,
} from '../../src/forge/collaboration.ts';
import type { Forge, Source } from '../../src/forge/forge.ts';
import { createGitForge } from '../../src/forge/git/git-forge.ts';
import { BgAgentError } from '../../src/task/errors.ts';
import { git } from '../fixtures/git-repo.ts';

export interface FakePullRequest {
  number: number;
  title: string;
  body: string;
  branch: string;
  base: string;
  state: 'open' | 'closed' | 'merged';
  draft: boolean;
  fork: boolean;
  labels: string[];
  reviewers: string[];
  comments: Comment[];
  reviews: PullRequestThread['reviews'];
  threads: PullRequestThread['threads'];
}

/** A forge with issues and pull requests in memory, on real git: `octo/hello` is `hello.git` of the folder. */
export interface FakeForge extends Forge {
  issues: Map<number, Pick<IssueThread, 'title' | 'body'> & Partial<IssueThread>>;
  pullRequests: Map<number, FakePullRequest>;
  /** What tasks have said, by number and task; and what they reviewed. */
  comments: Map<string, string>;
  reviews: Map<string, ReviewDraft>;
  /** Called before each question, and after each change, by the method's name; what it throws is the answer. */
  on: { before?(method: string): void | Promise<void>; after?(method: string): void | Promise<void> };
  open(fields: Partial<FakePullRequest> & Pick<FakePullRequest, 'branch'>): FakePullRequest;
}

export function createFakeForge({ folder }: { folder: string }): FakeForge {
  const inner = createGitForge({ environment: { PATH: process.env.PATH } });
  const path = (repo: string): string =>
    repo.startsWith('/') ? repo : join(folder, `${repo.split('/')[1]}.git`);
  const web = (repo: string, rest: string): string => `https://forge.example.com/${repo}/${rest}`;
  const headOf = (repo: string, { branch }: FakePullRequest): string => git(path(repo), 'rev-parse', branch);
  let lastNumber = 0;

  function openPullRequest(number: number): FakePullRequest {
    const found = forge.pullRequests.get(number);
    if (found?.state !== 'open')
      throw new BgAgentError('PR_NOT_FOUND_OR_CLOSED', `#${number} is ${found?.state ?? 'not there'}`);
    return found;
  }
  const reference = (repo: string, pullRequest: FakePullRequest) => ({
    number: pullRequest.number,
    url: web(repo, `pull/${pullRequest.number}`),
    title: pullRequest.title,
    headBranch: pullRequest.branch,
    headSha: headOf(repo, pullRequest),
    headRef: `refs/heads/${pullRequest.branch}`,
    fromFork: pullRequest.fork,
    draft: pullRequest.draft,
  });
  async function told<T>(method: string, answer: () => T): Promise<T> {
    await forge.on.before?.(method);
    const result = answer();
    await forge.on.after?.(method);
    return result;
  }

  const collaboration: Collaboration = {
    issue: (_repo, number) =>
      told('issue', () => {
        const found = forge.issues.get(number);
        if (!found) throw new BgAgentError('ISSUE_NOT_FOUND', `there is no issue #${number}`);
        const rest = { author: 'octo', labels: [], state: 'open', comments: [], omittedComments: 0 } as const;
        return { number, url: web(_repo, `issues/${number}`), ...rest, ...found };
      }),
    pullRequest: (repo, number) =>
      told('pullRequest', () => {
        const found = openPullRequest(number);
        const changed = git(path(repo), 'diff', '--numstat', `${found.base}...${found.branch}`).split('\n');
        return {
          ...reference(repo, found),
          author: 'octo',
          body: found.body,
          baseBranch: found.base,
          labels: found.labels,
          comments: found.comments,
          omittedComments: 0,
          reviews: found.reviews,
          threads: found.threads,
          changedFiles: changed.map((line) => {
            const [additions, deletions, name = ''] = line.split('\t');
            return {
              path: name,
              status: 'modified',
              additions: Number(additions),
              deletions: Number(deletions),
            };
          }),
          omittedFiles: 0,
        };
      }),
    openPullRequest: (repo, draft: PullRequestDraft) =>
      told('openPullRequest', () => {
        const known = [...forge.pullRequests.values()].find(({ branch }) => branch === draft.branch);
        const found =
          known ?? forge.open({ ...draft, labels: [...draft.labels], reviewers: [...draft.reviewers] });
        return {
          number: found.number,
          url: web(repo, `pull/${found.number}`),
          created: known === undefined,
          state: found.state,
          draft: found.draft,
          headSha: headOf(repo, found),
          warnings: draft.labels.includes('missing') ? ['there is no label "missing"'] : [],
        };
      }),
    comment: (repo, number, { taskId, body }) =>
      told('comment', () => {
        forge.comments.set(`${number} ${taskId}`, body);
        return { url: web(repo, `pull/${number}#comment`) };
      }),
    postReview: (repo, number, review) =>
      told('postReview', () => {
        openPullRequest(number);
        const created = !forge.reviews.has(`${number} ${review.taskId}`);
        if (created) forge.reviews.set(`${number} ${review.taskId}`, review);
        return { url: web(repo, `pull/${number}#review`), created, warnings: [] };
      }),
  };

  const forge: FakeForge = {
    ...inner,
    type: 'fake',
    collaboration,
    issues: new Map(),
    pullRequests: new Map(),
    comments: new Map(),
    reviews: new Map(),
    on: {},
    open(fields) {
      lastNumber = Math.max(lastNumber, ...forge.pullRequests.keys()) + 1;
      const made: FakePullRequest = {
        number: lastNumber,
        title: 'Fix it',
        body: '',
        base: 'main',
        state: 'open',
        draft: false,
        fork: false,
        labels: [],
        reviewers: [],
        comments: [],
        reviews: [],
        threads: [],
        ...fields,
      };
      forge.pullRequests.set(made.number, made);
      return made;
    },
    async preflight(repo, needs = {}): Promise<Source> {
      await forge.on.before?.('preflight');
      const source = await inner.preflight(path(repo), { push: needs.push ?? true });
      if (needs.prNumber == null) return source;
      const found = openPullRequest(needs.prNumber);
      if (found.fork && needs.push !== false)
        throw new BgAgentError('PR_FROM_FORK', `#${found.number} is from a fork`);
      const baseSha = git(path(repo), 'rev-parse', found.base);
      return { ...source, baseBranch: found.base, baseSha, pullRequest: reference(repo, found) };
    },
    async branchHead(repo, branch) {
      await forge.on.before?.('branchHead');
      return inner.branchHead(path(repo), branch);
    },
    credentials: (repo) => inner.credentials(path(repo)),
  };
  return forge;
}
