import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusal, serverError } from '../../../test/fakes/github/faults.ts';
import { type GitHubFake, startGitHub } from '../../../test/fakes/github/github.ts';
import { githubRoom, roomClock } from '../../../test/fixtures/github.ts';
import type { Collaboration } from '../collaboration.ts';

let github: GitHubFake;
let talk: Collaboration;
beforeEach(async () => {
  const clock = roomClock();
  github = await startGitHub({ now: clock.now });
  const { collaboration } = githubRoom(github, { clock }).forge;
  if (!collaboration) throw new Error('no collaboration');
  talk = collaboration;
});
afterEach(() => github.close());

const REPO = 'octo/hello';
const branch = 'bgagent/t1/mend';
const files = { 'README.md': '# Hello there\n', 'more.txt': 'one\ntwo\n' };
const draft = {
  taskId: 'T1',
  branch,
  base: 'main',
  title: 'Mend',
  body: 'It said hallo.',
  draft: false,
  labels: [],
  reviewers: [],
};
const prepare = (options = {}) => {
  const repo = github.addRepo(REPO, options);
  github.commit(repo, branch, files);
  return repo;
};
const pulls = () => [...github.repo(REPO).issues.values()].filter(({ pull }) => pull !== null);

/** Each way in which a call that creates something can end without an answer that helps. */
const UNCLEAR = [
  ['the connection is lost before it took effect', { kind: 'drop', effect: false }],
  ['the connection is lost after it took effect', { kind: 'drop', effect: true }],
  ['the server fails before it took effect', serverError(502)],
  ['the server fails after it took effect', { kind: 'answer', status: 502, effect: true }],
] as const;

describe('a pull request', () => {
  it.each(UNCLEAR)('is opened once when %s', async (_, failure) => {
    prepare();
    github.fail({ method: 'POST', path: /\/pulls$/, failure });
    expect(await talk.openPullRequest(REPO, draft)).toMatchObject({ created: true, state: 'open' });
    expect(pulls()).toHaveLength(1);
  });

  it('is not opened twice by two who try at once', async () => {
    prepare();
    const opened = await Promise.all([talk.openPullRequest(REPO, draft), talk.openPullRequest(REPO, draft)]);
    expect(new Set(opened.map(({ number }) => number)).size).toBe(1);
    expect(pulls()).toHaveLength(1);
  });

  it('is told with its newest commit, although GitHub takes its time after a push', async () => {
    const repo = prepare();
    await talk.openPullRequest(REPO, draft);
    const head = github.commit(repo, branch, { 'more.txt': 'three\n' });
    github.world.staleAnswers = 3;
    expect(await talk.openPullRequest(REPO, draft)).toMatchObject({ created: false, headSha: head });
  });

  it('is taken as it is when a person opened it from the branch', async () => {
    const repo = prepare();
    const own = github.addPull(repo, { branch, files: { 'x.txt': 'x\n' }, title: 'By hand', body: 'Mine.' });
    const opened = await talk.openPullRequest(REPO, { ...draft, labels: ['bgagent'] });
    expect(opened).toMatchObject({ created: false, number: own.number });
    expect(opened.warnings).toEqual([expect.stringContaining('keeps its text')]);
    expect(own).toMatchObject({ title: 'By hand', body: 'Mine.', labels: ['bgagent'] });
  });

  it.each(['closed', 'merged'] as const)('stays %s when a person did that', async (state) => {
    prepare();
    const { number } = await talk.openPullRequest(REPO, draft);
    const issue = github.repo(REPO).issues.get(number);
    Object.assign(issue ?? {}, { state: 'closed' });
    Object.assign(issue?.pull ?? {}, { merged: state === 'merged' });
    const again = await talk.openPullRequest(REPO, { ...draft, title: 'Other' });
    expect(again).toMatchObject({
      created: false,
      number,
      state,
      warnings: [expect.stringContaining(state)],
    });
    expect(pulls()).toHaveLength(1);
    expect(issue?.title).toBe('Mend');
  });

  it('is opened as ready where the repository takes no drafts, and says so', async () => {
    prepare({ drafts: false });
    const opened = await talk.openPullRequest(REPO, { ...draft, draft: true });
    expect(opened).toMatchObject({ draft: false, warnings: [expect.stringContaining('takes no drafts')] });
  });

  it('gets labels and reviewers as far as they go, and tells of the others', async () => {
    prepare({ collaborators: { mona: 'write' }, teams: ['octo/people'] });
    const opened = await talk.openPullRequest(REPO, {
      ...draft,
      labels: ['x'.repeat(60)],
      reviewers: ['mona', 'octo/people', 'octo/strangers', 'nobody'],
    });
    expect(opened.warnings).toEqual([
      expect.stringContaining('labels'),
      expect.stringContaining('octo/strangers'),
      expect.stringContaining('nobody'),
    ]);
    expect(pulls()[0]?.pull?.reviewers).toEqual(['mona', 'octo/people']);
  });

  it('asks those whom a crash kept from being asked, and nobody twice', async () => {
    const repo = prepare({
      collaborators: { mona: 'write', lisa: 'write', hubot: 'write' },
      teams: ['octo/people'],
    });
    const { number } = await talk.openPullRequest(REPO, draft);
    const pull = repo.issues.get(number)?.pull;
    pull?.reviewers.push('mona', 'octo/people');
    const review = { id: 1, body: 'Good.', createdAt: '2026-01-01T00:00:00Z', state: 'APPROVED' } as const;
    pull?.reviews.push({ ...review, author: 'lisa', commitId: pull.headSha });
    const before = github.requests.length;
    const reviewers = ['mona', 'lisa', 'hubot', 'octo/people'];
    await talk.openPullRequest(REPO, { ...draft, reviewers });
    await talk.openPullRequest(REPO, { ...draft, reviewers });
    expect(pull?.reviewers).toEqual(['mona', 'octo/people', 'hubot']);
    const asked = github.requests.slice(before).filter(({ path }) => path.endsWith('/requested_reviewers'));
    expect(asked).toHaveLength(1);
  });

  it('has a title and a text that GitHub takes, however long they were', async () => {
    prepare();
    await talk.openPullRequest(REPO, {
      ...draft,
      title: `Mend\n${'x'.repeat(999)}`,
      body: '🙂'.repeat(60_000),
    });
    expect(pulls()[0]?.title).toHaveLength(256);
    expect(pulls()[0]?.body).toContain('more characters were cut]');
    expect(pulls()[0]?.body).toMatch(/<!-- bgagent:task-id=T1 -->$/);
  });

  it('says what GitHub says when it can not be opened', async () => {
    github.addRepo(REPO);
    await expect(talk.openPullRequest(REPO, draft)).rejects.toMatchObject({
      code: 'GITHUB_REFUSED',
      message: expect.stringContaining('head'),
    });
    github.commit(github.repo(REPO), branch, files);
    await expect(talk.openPullRequest(REPO, { ...draft, base: 'gone' })).rejects.toMatchObject({
      message: expect.stringContaining('base'),
    });
  });
});

describe('a comment', () => {
  it.each(UNCLEAR)('is made once when %s', async (_, failure) => {
    const issue = github.addIssue(github.addRepo(REPO));
    github.fail({ method: 'POST', path: /\/comments$/, failure });
    await talk.comment(REPO, issue.number, { taskId: 'T1', body: 'Done.' });
    expect(issue.comments).toHaveLength(1);
  });

  it('of somebody else with our marker is never touched', async () => {
    const issue = github.addIssue(github.addRepo(REPO));
    github.comment(issue, 'mallory', 'Mine <!-- bgagent:task-id=T1 -->');
    await talk.comment(REPO, issue.number, { taskId: 'T1', body: 'Done.' });
    expect(issue.comments.map(({ author }) => author)).toEqual(['mallory', 'bgagent[bot]']);
    expect(issue.comments[0]?.body).toContain('Mine');
  });

  it('that was deleted is made anew, also when that happens just then (H1)', async () => {
    const issue = github.addIssue(github.addRepo(REPO));
    await talk.comment(REPO, issue.number, { taskId: 'T1', body: 'It runs.' });
    issue.comments.splice(0);
    await talk.comment(REPO, issue.number, { taskId: 'T1', body: 'It still runs.' });
    github.fail({ method: 'PATCH', failure: refusal(404, 'Not Found') });
    await talk.comment(REPO, issue.number, { taskId: 'T1', body: 'Done.' });
    expect(issue.comments.at(-1)?.body).toContain('Done.');
  });

  it('is found again among hundreds', async () => {
    const issue = github.addIssue(github.addRepo(REPO));
    await talk.comment(REPO, issue.number, { taskId: 'T1', body: 'It runs.' });
    for (let count = 0; count < 250; count += 1) github.comment(issue, 'mona', `number ${count}`);
    await talk.comment(REPO, issue.number, { taskId: 'T1', body: 'Done.' });
    expect(issue.comments).toHaveLength(251);
    expect(issue.comments[0]?.body).toContain('Done.');
  });

  it('is not rewritten when it says the same', async () => {
    const issue = github.addIssue(github.addRepo(REPO));
    await talk.comment(REPO, issue.number, { taskId: 'T1', body: 'Done.' });
    await talk.comment(REPO, issue.number, { taskId: 'T1', body: 'Done.' });
    expect(github.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(0);
  });

  it('on nothing says that nothing is there', async () => {
    github.addRepo(REPO);
    await expect(talk.comment(REPO, 9, { taskId: 'T1', body: 'Done.' })).rejects.toMatchObject({
      code: 'ISSUE_NOT_FOUND',
    });
  });
});

describe('a review', () => {
  const opened = async () => {
    prepare();
    const { number, headSha } = await talk.openPullRequest(REPO, draft);
    const pull = github.repo(REPO).issues.get(number)?.pull;
    if (!pull) throw new Error('no pull request');
    const comments = [{ path: 'more.txt', line: 1, body: 'Why one?' }];
    return { number, pull, review: { taskId: 'T1', commitSha: headSha, body: 'A remark.', comments } };
  };

  it.each(UNCLEAR)('is posted once when %s', async (_, failure) => {
    const { number, pull, review } = await opened();
    github.fail({ method: 'POST', path: /\/reviews$/, failure });
    expect(await talk.postReview(REPO, number, review)).toMatchObject({ created: true });
    expect(pull.reviews).toHaveLength(1);
    expect(pull.threads).toHaveLength(1);
  });

  it('keeps its remarks when GitHub takes none of its lines', async () => {
    const { number, pull, review } = await opened();
    github.fail({ method: 'POST', path: /\/reviews$/, failure: refusal(422, 'Line could not be resolved') });
    const posted = await talk.postReview(REPO, number, review);
    expect(posted.warnings).toEqual([expect.stringContaining('Line could not be resolved')]);
    expect(pull.reviews[0]?.body).toContain('`more.txt:1`: Why one?');
  });

  it('is about the commit that was read, also when the branch moved meanwhile', async () => {
    const { number, pull, review } = await opened();
    github.commit(github.repo(REPO), branch, { 'more.txt': 'two\n' });
    await talk.postReview(REPO, number, {
      ...review,
      comments: [...review.comments, { path: 'more.txt', line: 2, body: 'Why two?' }],
    });
    expect(pull.reviews[0]?.commitId).toBe(review.commitSha);
    expect(pull.threads.map(({ line }) => line)).toEqual([1, 2]);
  });

  it('is posted on a pull request that was closed meanwhile', async () => {
    const { number, pull, review } = await opened();
    Object.assign(github.repo(REPO).issues.get(number) ?? {}, { state: 'closed' });
    await talk.postReview(REPO, number, review);
    expect(pull.reviews).toHaveLength(1);
  });

  it('of somebody else with our marker does not pass for ours', async () => {
    const { number, pull, review } = await opened();
    pull.reviews.push({
      id: 1,
      author: 'mallory',
      body: 'LGTM <!-- bgagent:task-id=T1 -->',
      createdAt: '2026-01-01T00:00:00Z',
      state: 'APPROVED',
      commitId: pull.headSha,
    });
    expect(await talk.postReview(REPO, number, review)).toMatchObject({ created: true });
  });
});
