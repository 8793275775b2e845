import type { Collaboration, PullRequestRef } from './collaboration.ts';

/** Source control. `git` works with any remote (branch only); `github` adds issues and pull requests. The sandbox never sees a credential. */
export interface Forge {
  readonly type: string;

  /**
   * The token works, the repository is there, isn't empty, may be pushed to when that's needed, and the pull request is open: fails
   * fast, before any machine is paid for. Throws REPO_UNREACHABLE, REPO_EMPTY or PUSH_REJECTED; `github` also GITHUB_UNREACHABLE,
   * GITHUB_NOT_CONFIGURED, GITHUB_CREDENTIALS_REFUSED, GITHUB_RATE_LIMITED, REPO_NOT_FOUND_OR_NO_ACCESS, REPO_ARCHIVED,
   * INSUFFICIENT_GITHUB_REPO_PERMISSIONS, PR_NOT_FOUND_OR_CLOSED, PR_FROM_FORK.
   */
  preflight(repo: string, needs?: PreflightNeeds): Promise<Source>;

  /** The commit a branch points to on the remote, or null when there is no such branch. Throws REPO_UNREACHABLE and the like. */
  branchHead(repo: string, branch: string): Promise<string | null>;

  /**
   * Short-lived credentials for the runner's clone and push, scoped to the repository; null when none are needed. They last at least
   * ten minutes: ask again before a push at the end of long work.
   */
  credentials(
    repo: string,
    needs?: CredentialNeeds,
  ): Promise<{ username: string; password: string; expiresAt: string | null } | null>;

  /** A link for people that compares branch and base; null when the remote has no web pages that we know of. */
  compareUrl(repo: string, base: string, branch: string): string | null;

  /** Issues and pull requests; null where the remote has none that can be reached. */
  readonly collaboration: Collaboration | null;
}

export interface CredentialNeeds {
  /** Whether they must allow a push, where that can be told apart. Default true. */
  push?: boolean;
}

export interface PreflightNeeds {
  /** Default true. */
  push?: boolean;
  /** The branch that will be pushed: what protects it is said. Default: that of the pull request, or none. */
  branch?: string | null;
  /** A pull request that must be open, and whose branch must be one of this repository when `push` is needed. Default none. */
  prNumber?: number | null;
  /** An issue that will be read. Default none. */
  issueNumber?: number | null;
}

/** What a task starts from. */
export interface Source {
  /** To clone from and push to, without credentials. */
  url: string;
  /** The default branch, or the branch that the pull request wants to go into. */
  baseBranch: string;
  /** The commit that it points to now. */
  baseSha: string;
  pullRequest: PullRequestRef | null;
  /** What people should know although the task can begin: the repository was renamed, the branch is protected, ... */
  warnings: readonly string[];
}
