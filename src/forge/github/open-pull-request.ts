import type { OpenedPullRequest, PullRequestDraft } from '../collaboration.ts';
import { GitHubFailure, hasStatus } from './failures.ts';
import { makeOnce } from './once.ts';
import { headOf } from './preflight.ts';
import { anyPull } from './pulls.ts';
import type { Session } from './sessions.ts';
import { hasMarker, titleOf, withMarker } from './texts.ts';
import { backoffMs, UNAVAILABLE_TRIES } from './verdicts.ts';

type Sleep = (ms: number) => Promise<void>;

/** What is read of a pull request here, listed or just made. */
interface Listed {
  number: number;
  html_url: string;
  state: string;
  merged_at: string | null;
  draft?: boolean;
  title: string;
  body: string | null;
  base: { ref: string };
  head: { ref: string; sha: string };
  requested_reviewers?: readonly { login: string }[] | null;
  requested_teams?: readonly { slug: string }[] | null;
}

/** Opens the task's pull request or brings it up to date, and gives it labels and reviewers as far as that goes. */
export async function openPullRequest(
  session: Session,
  draft: PullRequestDraft,
  sleep: Sleep,
): Promise<OpenedPullRequest> {
  const warnings: string[] = [];
  const wanted = { title: titleOf(draft.title) || draft.branch, body: withMarker(draft.taskId, draft.body) };
  const { value: pull, created } = await makeOnce({
    find: () => findOwn(session, draft),
    make: () => create(session, draft, wanted, warnings),
    isThere: ({ said }) => /already exists/i.test(said),
    sleep,
  });
  const state = pull.state === 'open' ? 'open' : pull.merged_at ? 'merged' : 'closed';
  const headSha = state === 'open' ? await settledHead(session, pull, draft.branch, sleep) : pull.head.sha;
  if (state !== 'open')
    warnings.push(`pull request ${pull.number} was ${state} meanwhile and is left as it is`);
  else {
    if (!created) warnings.push(...(await bringUpToDate(session, pull, draft.taskId, wanted)));
    warnings.push(...(await addLabels(session, pull.number, draft.labels)));
    const missing = created ? draft.reviewers : await notAskedYet(session, pull, draft.reviewers);
    warnings.push(...(await requestReviewers(session, pull.number, missing)));
  }
  return {
    number: pull.number,
    url: pull.html_url,
    created,
    state,
    draft: pull.draft ?? false,
    headSha,
    warnings,
  };
}

/** The branch is the task's own, so what was opened from it is the task's; the marker decides where there are several. */
async function findOwn(session: Session, { branch, base, taskId }: PullRequestDraft): Promise<Listed | null> {
  const pulls = await pullsOf(session, branch);
  const isOpen = ({ state }: Listed): boolean => state === 'open';
  const marked = pulls.filter(({ body }) => hasMarker(taskId, body));
  return (
    marked.find(isOpen) ?? pulls.find((pull) => isOpen(pull) && pull.base.ref === base) ?? marked[0] ?? null
  );
}

async function pullsOf({ client, owner, repo }: Session, branch: string): Promise<Listed[]> {
  // The owner may have been renamed; the filter wants the present name.
  const { data: repository } = await client.request('GET /repos/{owner}/{repo}', { owner, repo });
  const head = `${repository.owner.login}:${branch}`;
  const { data } = await client.request('GET /repos/{owner}/{repo}/pulls', {
    owner,
    repo,
    head,
    state: 'all',
    per_page: 100,
  });
  // Servers that don't know the branch ignore the filter.
  return data.filter((pull) => pull.head.ref === branch && pull.head.repo?.id === repository.id);
}

/** GitHub brings a pull request after a push up to date in its own time: what it says is waited for to be what the branch is. */
async function settledHead(session: Session, pull: Listed, branch: string, sleep: Sleep): Promise<string> {
  const wanted = await headOf(session, branch);
  let head = pull.head.sha;
  for (let attempt = 0; wanted !== null && head !== wanted && attempt < UNAVAILABLE_TRIES; attempt += 1) {
    await sleep(backoffMs(attempt));
    head = (await anyPull(session, pull.number)).head.sha;
  }
  return head;
}

async function create(
  { client, owner, repo }: Session,
  { branch, base, draft }: PullRequestDraft,
  wanted: { title: string; body: string },
  warnings: string[],
): Promise<Listed> {
  const open = async (asDraft: boolean): Promise<Listed> => {
    const { data } = await client.request('POST /repos/{owner}/{repo}/pulls', {
      owner,
      repo,
      head: branch,
      base,
      draft: asDraft,
      maintainer_can_modify: false,
      ...wanted,
    });
    return data;
  };
  try {
    return await open(draft);
  } catch (error) {
    if (!draft || !hasStatus(error, 422) || !/draft/i.test(error.said)) throw error;
    warnings.push('this repository takes no drafts: the pull request was opened as ready for review');
    return open(false);
  }
}

async function bringUpToDate(
  { client, owner, repo }: Session,
  pull: Listed,
  taskId: string,
  wanted: { title: string; body: string },
): Promise<string[]> {
  if (!hasMarker(taskId, pull.body))
    return [`pull request ${pull.number} was opened from the branch by somebody else and keeps its text`];
  if (pull.title === wanted.title && pull.body === wanted.body) return [];
  await client.request('PATCH /repos/{owner}/{repo}/pulls/{pull_number}', {
    owner,
    repo,
    pull_number: pull.number,
    ...wanted,
  });
  return [];
}

async function addLabels(
  { client, owner, repo }: Session,
  number: number,
  labels: readonly string[],
): Promise<string[]> {
  if (labels.length === 0) return [];
  return said('the labels could not be set', async () => {
    await client.request('POST /repos/{owner}/{repo}/issues/{issue_number}/labels', {
      owner,
      repo,
      issue_number: number,
      labels: [...labels],
    });
  });
}

/** After a crash some may not have been asked; who has been, or has answered already, isn't bothered again. */
async function notAskedYet(
  { client, owner, repo }: Session,
  pull: Listed,
  reviewers: readonly string[],
): Promise<readonly string[]> {
  if (reviewers.length === 0) return reviewers;
  const { data: reviews } = await client.request('GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews', {
    owner,
    repo,
    pull_number: pull.number,
    per_page: 100,
  });
  const asked = new Set(
    [
      ...(pull.requested_reviewers ?? []).map(({ login }) => login),
      ...(pull.requested_teams ?? []).map(({ slug }) => `team/${slug}`),
      ...reviews.map(({ user }) => user?.login ?? ''),
    ].map((name) => name.toLowerCase()),
  );
  return reviewers.filter((name) => !asked.has(name.toLowerCase().replace(/^[^/]+\//, 'team/')));
}

/** Together when that goes; GitHub refuses all for one of them, so then each by itself. */
async function requestReviewers(
  session: Session,
  number: number,
  reviewers: readonly string[],
): Promise<string[]> {
  const names = [...new Set(reviewers)];
  if (names.length === 0) return [];
  const together = await said('', () => request(session, number, names));
  if (together.length === 0) return [];
  if (names.length === 1) return [`${names[0]} can not be asked for a review${together[0]}`];
  const warnings: string[] = [];
  for (const name of names)
    warnings.push(
      ...(await said(`${name} can not be asked for a review`, () => request(session, number, [name]))),
    );
  return warnings;
}

async function request(
  { client, owner, repo }: Session,
  number: number,
  names: readonly string[],
): Promise<void> {
  await client.request('POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers', {
    owner,
    repo,
    pull_number: number,
    reviewers: names.filter((name) => !name.includes('/')),
    team_reviewers: names.filter((name) => name.includes('/')).map((name) => name.split('/')[1] ?? ''),
  });
}

/** What isn't worth failing for: a refusal becomes words. */
async function said(what: string, attempt: () => Promise<void>): Promise<string[]> {
  try {
    await attempt();
    return [];
  } catch (error) {
    if (error instanceof GitHubFailure && hasStatus(error, 403, 404, 422)) return [`${what}: ${error.said}`];
    throw error;
  }
}
