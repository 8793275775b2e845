import type { Collaboration, PullRequestRef } from './collaboration.ts';

/** Source control. `git` works with any remote (branch only); `github` adds issues and pull requests. The sandbox never sees a credential. */
export interface Forge {
  readonly type: string;

  /**
   * The token works, the repository is there, isn't empty, may be pushed to when that's needed, and the pull request is open: fails
   * fast, before any machine is paid for. Throws REPO_UNREACHABLE, REPO_EMPTY or PUSH_REJECTED; `github` also GITHUB_UNREACHABLE,
   * REPO_NOT_FOUND_OR_NO_ACCESS, INSUFFICIENT_GITHUB_REPO_PERMISSIONS, PR_NOT_FOUND_OR_CLOSED.
   */
  preflight(repo: string, needs?: PreflightNeeds): Promise<Source>;

  /** The commit a branch points to on the remote, or null when there is no such branch. Throws REPO_UNREACHABLE. */
  branchHead(repo: string, branch: string): Promise<string | null>;

  /** Short-lived credentials for the runner's clone and push, scoped to the repository; null when none are needed. */
  credentials(repo: string): Promise<{ username: string; password: string; expiresAt: string | null } | null>;

  /** A link for people that compares branch and base; null when the remote has no web pages that we know of. */
  compareUrl(repo: string, base: string, branch: string): string | null;

  /** Issues and pull requests; null where the remote has none that can be reached. */
  readonly collaboration: Collaboration | null;
}

export interface PreflightNeeds {
  /** Default true. */
  push?: boolean;
  /** A pull request that must be open, and whose branch must be one of this repository when `push` is needed. Default none. */
  prNumber?: number | null;
}

/** What a task starts from. */
export interface Source {
  /** To clone from and push to, without credentials. */
  url: string;
  /** The default branch, or the branch that the pull request wants to go into. */
  baseBranch: string;
  baseSha: string;
  pullRequest: PullRequestRef | null;
}
