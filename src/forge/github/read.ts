import { BgAgentError } from '../../task/errors.ts';
import type { IssueThread, PullRequestThread } from '../collaboration.ts';
import { hasStatus } from './failures.ts';
import { boundTexts, commentOf, newestOf } from './lists.ts';
import { findPull, pullRef } from './pulls.ts';
import type { Session } from './sessions.ts';
import { cutText } from './texts.ts';
import { unresolvedThreads } from './threads.ts';

/** GitHub lists no more. */
const MAX_FILES = 3_000;

export async function readIssue(session: Session, number: number): Promise<IssueThread> {
  const { client, owner, repo, name } = session;
  const missing = (why: string): BgAgentError =>
    new BgAgentError('ISSUE_NOT_FOUND', `${name} has no issue ${number}${why}`, { field: 'issue_number' });
  const { data: issue, url } = await client
    .request('GET /repos/{owner}/{repo}/issues/{issue_number}', { owner, repo, issue_number: number })
    .catch((error: unknown) => {
      // Deleted, or the repository has no issues at all.
      if (hasStatus(error, 410)) throw missing(`: ${error.said}`);
      if (hasStatus(error, 404)) throw missing('');
      throw error;
    });
  if (issue.pull_request) throw missing(`: ${number} is a pull request`);
  // A moved issue is answered from where it is now. A repository that was renamed answers by id.
  const asked = `/repos/${owner}/${repo}/issues/${number}`.toLowerCase();
  const isHere = url.toLowerCase().endsWith(asked) || /\/repositories\/\d+\//.test(url);
  if (!isHere) throw missing(`: it was moved to ${issue.html_url}`);
  const { items, omitted } = await commentsOf(session, number);
  return {
    number,
    url: issue.html_url,
    title: issue.title,
    author: issue.user?.login ?? 'ghost',
    body: cutText(issue.body ?? ''),
    labels: namesOf(issue.labels),
    state: issue.state === 'closed' ? 'closed' : 'open',
    comments: items,
    omittedComments: omitted,
  };
}

export async function readPullRequest(session: Session, number: number): Promise<PullRequestThread> {
  const pull = await findPull(session, number);
  const comments = await commentsOf(session, number);
  const reviews = await reviewsOf(session, number);
  const threads = await unresolvedThreads(session, number);
  const changedFiles = await filesOf(session, number);
  return {
    ...pullRef(pull),
    author: pull.user?.login ?? 'ghost',
    body: cutText(pull.body ?? ''),
    baseBranch: pull.base.ref,
    labels: namesOf(pull.labels),
    comments: comments.items,
    reviews: reviews.items,
    threads: threads.items,
    omittedComments: comments.omitted + reviews.omitted + threads.omitted,
    changedFiles,
    omittedFiles: Math.max((pull.changed_files ?? 0) - changedFiles.length, 0),
  };
}

async function commentsOf({ client, owner, repo }: Session, number: number) {
  const newest = await newestOf((page) =>
    client.request('GET /repos/{owner}/{repo}/issues/{issue_number}/comments', {
      owner,
      repo,
      issue_number: number,
      ...page,
    }),
  );
  const { items, omitted } = boundTexts(newest.items.map(commentOf));
  return { items, omitted: omitted + newest.omitted };
}

const VERDICTS: Readonly<Record<string, PullRequestThread['reviews'][number]['verdict']>> = {
  APPROVED: 'approved',
  CHANGES_REQUESTED: 'changes_requested',
  COMMENTED: 'commented',
  DISMISSED: 'dismissed',
};

async function reviewsOf({ client, owner, repo }: Session, number: number) {
  const newest = await newestOf((page) =>
    client.request('GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews', {
      owner,
      repo,
      pull_number: number,
      ...page,
    }),
  );
  const said = newest.items.flatMap((review) => {
    const verdict = VERDICTS[review.state];
    // Without a text it only holds inline comments, which are threads. One that isn't submitted yet is nobody's business.
    if (verdict === undefined || (verdict === 'commented' && review.body === '')) return [];
    return [{ ...commentOf({ ...review, created_at: review.submitted_at ?? '' }), verdict }];
  });
  const { items, omitted } = boundTexts(said);
  return { items, omitted: omitted + newest.omitted };
}

async function filesOf({ client, owner, repo }: Session, number: number) {
  const files: { path: string; status: string; additions: number; deletions: number }[] = [];
  const pages = client.paginate.iterator('GET /repos/{owner}/{repo}/pulls/{pull_number}/files', {
    owner,
    repo,
    pull_number: number,
    per_page: 100,
  });
  for await (const { data } of pages) {
    for (const { filename, status, additions, deletions } of data)
      files.push({ path: filename, status, additions, deletions });
    if (files.length >= MAX_FILES) break;
  }
  return files.slice(0, MAX_FILES);
}

const namesOf = (labels: readonly (string | { name?: string | null })[]): string[] =>
  labels
    .map((label) => (typeof label === 'string' ? label : (label.name ?? '')))
    .filter((name) => name !== '');
