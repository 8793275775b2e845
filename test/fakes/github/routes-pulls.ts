import { git } from '../../fixtures/git-repo.ts';
import { loginOf } from './access.ts';
import { changedFiles, commentableLines, headOf, publishHead, syncPulls } from './git.ts';
import {
  type Answer,
  type Call,
  invalid,
  notFound,
  page,
  Refusal,
  type Route,
  route,
  text,
  texts,
} from './http.ts';
import { checkedBody, findIssue } from './routes-issues.ts';
import { pullShape, reviewShape } from './shapes.ts';
import { type Issue, isoNow, type Pull, type Repo, type Review } from './world.ts';

const READ = [{ pull_requests: 'read' }] as const;
const WRITE = [{ pull_requests: 'write' }] as const;
const NOT_COLLABORATOR =
  'Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the repository.';

export const pullRoutes: readonly Route[] = [
  route('GET', '/repos/{owner}/{repo}/pulls', READ, listPulls),
  route('POST', '/repos/{owner}/{repo}/pulls', WRITE, openPull),
  route('GET', '/repos/{owner}/{repo}/pulls/{number}', READ, (call) => ({
    status: 200,
    body: pullShape(call, findPull(call).issue),
  })),
  route('PATCH', '/repos/{owner}/{repo}/pulls/{number}', WRITE, (call) => {
    const { issue } = findPull(call);
    if (call.body.title !== undefined) issue.title = checkedTitle(call);
    if (call.body.body !== undefined) issue.body = checkedBody(call);
    if (call.body.state === 'closed' || call.body.state === 'open') issue.state = call.body.state;
    return { status: 200, body: pullShape(call, issue) };
  }),
  route('GET', '/repos/{owner}/{repo}/pulls/{number}/files', READ, (call) => {
    const { pull } = findPull(call);
    syncPulls(call.repo);
    return page(call, changedFiles(call.repo, pull.base, pull.headSha).slice(0, 3_000));
  }),
  route('GET', '/repos/{owner}/{repo}/pulls/{number}/reviews', READ, (call) => {
    const { issue, pull } = findPull(call);
    return page(
      call,
      pull.reviews.map((review) => reviewShape(call, issue, review)),
    );
  }),
  route('POST', '/repos/{owner}/{repo}/pulls/{number}/reviews', WRITE, postReview),
  route('POST', '/repos/{owner}/{repo}/pulls/{number}/requested_reviewers', WRITE, requestReviewers),
];

function findPull(call: Call): { issue: Issue; pull: Pull } {
  const issue = findIssue(call);
  if (!issue.pull) throw notFound();
  return { issue, pull: issue.pull };
}

function listPulls(call: Call): Answer {
  const { repo, query } = call;
  const state = query.get('state') ?? 'open';
  const [, owner, branch] = /^([^:]+):(.+)$/.exec(query.get('head') ?? '') ?? [];
  const found = [...repo.issues.values()].filter(
    ({ pull, state: has, deleted }) =>
      pull &&
      !deleted &&
      (state === 'all' || state === has) &&
      (branch === undefined ||
        (pull.headBranch === branch && pull.headRepo?.owner.toLowerCase() === owner?.toLowerCase())) &&
      (!query.has('base') || query.get('base') === pull.base),
  );
  return page(
    call,
    found.reverse().map((issue) => pullShape(call, issue, false)),
  );
}

function openPull(call: Call): Answer {
  const { repo, body, world, principal } = call;
  const [, owner, branch] = /^(?:([^:]+):)?(.+)$/.exec(text(body.head)) ?? [];
  const headRepo =
    owner === undefined || owner === repo.owner
      ? repo
      : world.repos.find((each) => each.owner === owner && each.forkOf === repo);
  const headSha = headRepo && branch !== undefined ? headOf(headRepo, branch) : null;
  const problem = (field: string): Refusal => invalid({ resource: 'PullRequest', field, code: 'invalid' });
  if (!headRepo || branch === undefined || headSha === null) throw problem('head');
  const base = text(body.base);
  if (headOf(repo, base) === null) throw problem('base');
  const custom = (message: string): Refusal => invalid({ resource: 'PullRequest', code: 'custom', message });
  const twin = [...repo.issues.values()].find(
    ({ pull, state }) =>
      state === 'open' && pull?.headBranch === branch && pull.headRepo === headRepo && pull.base === base,
  );
  if (twin) throw custom(`A pull request already exists for ${headRepo.owner}:${branch}.`);
  if (body.draft === true && !repo.drafts)
    throw new Refusal(422, 'Draft pull requests are not supported in this repository.');
  const number = nextNumber(repo);
  if (headRepo !== repo) publishHead(repo, number, headRepo, headSha);
  if (git(repo.gitDir, 'rev-list', '--count', `${base}..${headSha}`) === '0')
    throw custom(`No commits between ${base} and ${branch}`);
  publishHead(repo, number, headRepo, headSha);
  const issue = newIssue(repo, {
    number,
    title: checkedTitle(call),
    body: checkedBody(call),
    author: loginOf(principal),
    createdAt: isoNow(world),
  });
  issue.pull = newPull({ headRepo, headBranch: branch, base, headSha, draft: body.draft === true });
  repo.issues.set(number, issue);
  return { status: 201, body: pullShape(call, issue) };
}

function postReview(call: Call): Answer {
  const { repo, body, world, principal } = call;
  const { issue, pull } = findPull(call);
  syncPulls(repo);
  const commitId = text(body.commit_id) || pull.headSha;
  const event = text(body.event);
  const author = loginOf(principal);
  if (event === 'APPROVE' && author === issue.author)
    throw new Refusal(422, 'Unprocessable Entity', { errors: ['Can not approve your own pull request'] });
  const lines = commentableLines(repo, issue, commitId);
  const comments = Array.isArray(body.comments) ? body.comments : [];
  for (const { path, line, side } of comments)
    if (side === 'LEFT' || !lines.get(path)?.has(line))
      throw new Refusal(422, 'Unprocessable Entity', {
        errors: [lines.has(path) ? 'Line could not be resolved' : 'Path could not be resolved'],
      });
  if (text(body.body) === '' && event !== 'APPROVE' && comments.length === 0)
    throw new Refusal(422, 'Unprocessable Entity', { errors: ['Body cannot be blank'] });
  const states = { APPROVE: 'APPROVED', REQUEST_CHANGES: 'CHANGES_REQUESTED', COMMENT: 'COMMENTED' } as const;
  const state = Object.entries(states).find(([name]) => name === event)?.[1] ?? 'PENDING';
  const review: Review = {
    id: world.nextId(),
    author,
    body: checkedBody(call),
    createdAt: isoNow(world),
    state,
    commitId,
  };
  pull.reviews.push(review);
  for (const { path, line, body: said } of comments)
    pull.threads.push({
      path,
      line,
      isResolved: false,
      isOutdated: false,
      comments: [{ id: world.nextId(), author, body: said, createdAt: isoNow(world) }],
    });
  return { status: 200, body: reviewShape(call, issue, review) };
}

function requestReviewers(call: Call): Answer {
  const { repo, body } = call;
  const { issue, pull } = findPull(call);
  const users = texts(body.reviewers);
  const teams = texts(body.team_reviewers).map((slug) => `${repo.owner}/${slug}`);
  if (users.includes(issue.author))
    throw new Refusal(422, 'Review cannot be requested from pull request author.');
  if (
    users.some((user) => user !== repo.owner && !repo.collaborators.has(user)) ||
    teams.some((team) => !repo.teams.has(team))
  )
    throw new Refusal(422, NOT_COLLABORATOR);
  for (const name of [...users, ...teams]) if (!pull.reviewers.includes(name)) pull.reviewers.push(name);
  return { status: 201, body: pullShape(call, issue) };
}

function checkedTitle({ body }: Call): string {
  const title = text(body.title);
  if (title === '') throw invalid({ resource: 'PullRequest', field: 'title', code: 'missing_field' });
  if (title.length > 256)
    throw invalid({
      resource: 'PullRequest',
      code: 'custom',
      field: 'title',
      message: 'title is too long (maximum is 256 characters)',
    });
  return title;
}

export const nextNumber = ({ issues }: Repo): number => Math.max(0, ...issues.keys()) + 1;

export const newIssue = (
  repo: Repo,
  given: Pick<Issue, 'number' | 'title' | 'body' | 'author' | 'createdAt'>,
): Issue => ({
  repo,
  labels: [],
  state: 'open',
  deleted: false,
  movedTo: null,
  comments: [],
  pull: null,
  ...given,
});

export const newPull = (
  given: Pick<Pull, 'headRepo' | 'headBranch' | 'base' | 'headSha' | 'draft'>,
): Pull => ({ merged: false, reviews: [], threads: [], reviewers: [], ...given });
