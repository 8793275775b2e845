/**
 * Issues and pull requests, as far as tasks need them. Everything that people wrote is untrusted text. Numbers that are not there
 * throw ISSUE_NOT_FOUND or PR_NOT_FOUND_OR_CLOSED.
 */
export interface Collaboration {
  issue(repo: string, number: number): Promise<IssueThread>;
  pullRequest(repo: string, number: number): Promise<PullRequestThread>;

  /**
   * Opens a pull request, or brings the task's own up to date: it is found by its branch and by the marker of the task in its body,
   * so that a repeat after a crash never opens a second one.
   */
  openPullRequest(repo: string, draft: PullRequestDraft): Promise<OpenedPullRequest>;

  /** Says something in a pull request once: a comment of the same task is edited in place. */
  comment(repo: string, number: number, comment: { taskId: string; body: string }): Promise<{ url: string }>;

  /** Posts a review with its inline comments as one, once a task. Comments that fit no line of the diff go into its body. */
  postReview(repo: string, number: number, review: ReviewDraft): Promise<{ url: string }>;
}

export interface PullRequestRef {
  number: number;
  url: string;
  title: string;
  headBranch: string;
  headSha: string;
  /** The branch is in another repository. */
  fromFork: boolean;
  draft: boolean;
}

export interface Comment {
  author: string;
  body: string;
  /** ISO 8601. */
  createdAt: string;
}

export interface IssueThread {
  number: number;
  url: string;
  title: string;
  author: string;
  body: string;
  labels: readonly string[];
  state: 'open' | 'closed';
  /** Oldest first. */
  comments: readonly Comment[];
}

export interface PullRequestThread extends PullRequestRef {
  author: string;
  body: string;
  baseBranch: string;
  comments: readonly Comment[];
  reviews: readonly (Comment & { verdict: 'approved' | 'changes_requested' | 'commented' | 'dismissed' })[];
  /** Threads on lines that nobody has resolved. */
  threads: readonly { path: string; line: number | null; comments: readonly Comment[] }[];
  /** At most 3,000, which is what GitHub lists. */
  changedFiles: readonly { path: string; status: string; additions: number; deletions: number }[];
}

export interface PullRequestDraft {
  taskId: string;
  branch: string;
  base: string;
  title: string;
  body: string;
  /** Opened as a draft. An open pull request keeps its state. */
  draft: boolean;
  labels: readonly string[];
  /** Users, or teams as `org/team`. Those that can't review are left out, and said. */
  reviewers: readonly string[];
}

export interface OpenedPullRequest {
  number: number;
  url: string;
  /** False when it was there already. */
  created: boolean;
  /** What could not be done and isn't worth failing for, in words for people. */
  warnings: readonly string[];
}

export interface ReviewDraft {
  taskId: string;
  /** The commit that was read. */
  commitSha: string;
  body: string;
  comments: readonly { path: string; line: number; body: string }[];
}
