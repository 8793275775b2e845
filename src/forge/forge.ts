/** Source control. `git` works with any remote (branch only); `github` adds pull requests. The sandbox never sees a credential. */
export interface Forge {
  readonly type: string;

  /**
   * Reachable, not empty, right to push: fails fast with REPO_UNREACHABLE, REPO_EMPTY or PUSH_REJECTED.
   * Returns what the branch starts from.
   */
  preflight(repo: string): Promise<{ url: string; baseBranch: string; baseSha: string }>;

  /** The commit a branch points to on the remote, or null when there is no such branch. Throws REPO_UNREACHABLE. */
  branchHead(repo: string, branch: string): Promise<string | null>;

  /** Short-lived credentials for the runner's clone and push, scoped to the repository; null when none are needed. */
  credentials(repo: string): Promise<{ username: string; password: string; expiresAt: string | null } | null>;

  /** A link for people that compares branch and base; null when the remote has no web pages that we know of. */
  compareUrl(repo: string, base: string, branch: string): string | null;
}
