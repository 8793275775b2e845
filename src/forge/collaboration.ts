/**
 * Issues and pull requests, as far as tasks need them. Everything that people wrote is untrusted text. Numbers that are not there
 * throw ISSUE_NOT_FOUND or PR_NOT_FOUND_OR_CLOSED. A limit of the server that lasts throws GITHUB_RATE_LIMITED with the seconds to wait.
 */
export interface Collaboration {
  /** Throws ISSUE_NOT_FOUND also for an issue that was deleted, moved elsewhere, or is a pull request. */
  issue(repo: string, number: number): Promise<IssueThread>;

  /** Throws PR_NOT_FOUND_OR_CLOSED also for one that is closed or merged. */
  pullRequest(repo: string, number: number): Promise<PullRequestThread>;

  /**
   * Opens a pull request, or brings the task's own up to date: it is found by its branch and by the marker of the task in its body,
   * so that a repeat after a crash never opens a second one. One that a person opened from the branch is taken as it is, and one that
   * was closed or merged stays so. The branch must exist.
   */
  openPullRequest(repo: string, draft: PullRequestDraft): Promise<OpenedPullRequest>;

  /**
   * Says something in an issue or pull request once: the task's comment is edited in place, and posted anew when somebody deleted it.
   * The marker of the task is added to the body.
   */
  comment(repo: string, number: number, comment: { taskId: string; body: string }): Promise<{ url: string }>;

  /** Whether the account may push to the repository. False for one that doesn't exist. */
  mayPush(repo: string, login: string): Promise<boolean>;

  /** Posts a review with its inline comments as one, once a task. Comments that fit no line of the diff go into its body. */
  postReview(repo: string, number: number, review: ReviewDraft): Promise<PostedReview>;
}

export interface PullRequestRef {
  number: number;
  url: string;
  title: string;
  headBranch: string;
  headSha: string;
  /** What to fetch the head from in the repository itself; works for forks, too. Like `refs/pull/34/head`. */
  headRef: string;
  /** The branch is in another repository. */
  fromFork: boolean;
  draft: boolean;
}

export interface Comment {
  author: string;
  /** Longer ones are cut at 60,000 characters, and say so at their end. */
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
  /** Oldest first. At most 300, and a million characters: the newest. */
  comments: readonly Comment[];
  /** How many older comments were left out. */
  omittedComments: number;
}

export interface PullRequestThread extends PullRequestRef {
  author: string;
  body: string;
  baseBranch: string;
  labels: readonly string[];
  /** As those of an issue. */
  comments: readonly Comment[];
  /** How many older comments, reviews and threads were left out. */
  omittedComments: number;
  /** Those with a text or a verdict, oldest first. */
  reviews: readonly (Comment & { verdict: 'approved' | 'changes_requested' | 'commented' | 'dismissed' })[];
  /** Threads on lines that nobody has resolved. */
  threads: readonly ReviewThread[];
  /** At most 3,000, which is what GitHub lists. */
  changedFiles: readonly { path: string; status: string; additions: number; deletions: number }[];
  /** How many files changed beyond those. */
  omittedFiles: number;
}

export interface ReviewThread {
  path: string;
  /** Null when it belongs to the whole file, or to a line that is gone. */
  line: number | null;
  /** The line has changed since. */
  outdated: boolean;
  comments: readonly Comment[];
}

export interface PullRequestDraft {
  taskId: string;
  branch: string;
  base: string;
  /** At most 256 characters; the rest is cut. */
  title: string;
  /** At most 60,000 characters; the rest is cut, and said. The marker of the task is added. */
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
  /** A person may have closed or merged the task's pull request meanwhile. */
  state: 'open' | 'closed' | 'merged';
  draft: boolean;
  /** The commit that its branch points to. */
  headSha: string;
  /** What could not be done and isn't worth failing for, in words for people. */
  warnings: readonly string[];
}

export interface ReviewDraft {
  taskId: string;
  /** The commit that was read. */
  commitSha: string;
  body: string;
  /** `line` counts in the file as the pull request leaves it. */
  comments: readonly { path: string; line: number; body: string }[];
}

export interface PostedReview {
  url: string;
  /** False when the task had posted it before. */
  created: boolean;
  warnings: readonly string[];
}
