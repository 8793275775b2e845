import { afterEach, beforeEach, expect, it } from 'vitest';
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
  github.addRepo('octo/hello');
});
afterEach(() => github.close());

const repo = () => github.repo('octo/hello');
const files = { 'more.txt': 'more\n' };

it('cuts texts of a megabyte, and says so', async () => {
  const issue = github.addIssue(repo(), { body: 'x'.repeat(1_000_000) });
  github.comment(issue, 'mona', '🙂'.repeat(500_000));
  const { body, comments } = await talk.issue('octo/hello', issue.number);
  expect(body.length).toBeLessThan(61_000);
  expect(body).toMatch(/\[… 940,000 more characters were cut\]$/);
  expect(comments[0]?.body.isWellFormed()).toBe(true);
});

it('keeps the newest of many comments, and says how many it left out', async () => {
  const issue = github.addIssue(repo());
  for (let count = 1; count <= 450; count += 1) github.comment(issue, 'mona', `number ${count}`);
  const { comments, omittedComments } = await talk.issue('octo/hello', issue.number);
  expect(comments).toHaveLength(300);
  expect(comments[0]?.body).toBe('number 151');
  expect(comments.at(-1)?.body).toBe('number 450');
  expect(omittedComments).toBe(150);
});

it('bounds what all comments together hold', async () => {
  const issue = github.addIssue(repo());
  for (let count = 0; count < 40; count += 1) github.comment(issue, 'mona', `${count} ${'x'.repeat(59_000)}`);
  const { comments, omittedComments } = await talk.issue('octo/hello', issue.number);
  expect(comments).toHaveLength(16);
  expect(omittedComments).toBe(24);
  expect(comments.at(-1)?.body).toMatch(/^39 /);
});

it('says of an issue that was deleted or moved, or is a pull request, what became of it', async () => {
  const deleted = github.addIssue(repo());
  const moved = github.addIssue(repo());
  const pull = github.addPull(repo(), { branch: 'mend', files });
  deleted.deleted = true;
  moved.movedTo = github.addIssue(github.addRepo('octo/other', { private: false }));
  for (const [number, word] of [
    [deleted.number, 'deleted'],
    [moved.number, ''],
    [pull.number, 'is a pull request'],
  ] as const)
    await expect(talk.issue('octo/hello', number)).rejects.toMatchObject({
      code: 'ISSUE_NOT_FOUND',
      message: expect.stringContaining(word),
    });
  // The token of one repository followed the issue to another, which a public one answers.
  github.takeViolations();
});

it('copes with people who are gone, and texts that are not there', async () => {
  const issue = github.addIssue(repo(), { author: 'ghost', body: '' });
  github.comment(issue, 'ghost', 'Bye.');
  expect(await talk.issue('octo/hello', issue.number)).toMatchObject({
    author: 'ghost',
    body: '',
    comments: [{ author: 'ghost', body: 'Bye.' }],
  });
});

it('leaves out resolved threads, reviews without a word, and reviews that are not submitted', async () => {
  const { number, pull } = github.addPull(repo(), { branch: 'mend', files });
  const at = '2026-01-01T00:00:00Z';
  const said = (body: string) => [{ id: 1, author: 'mona', body, createdAt: at }];
  for (let count = 0; count < 60; count += 1)
    pull.threads.push({
      path: 'more.txt',
      line: count === 59 ? null : 1,
      isResolved: count % 2 === 0,
      isOutdated: count === 59,
      comments: said(`remark ${count}`),
    });
  const review = { id: 1, author: 'mona', createdAt: at, commitId: pull.headSha };
  pull.reviews.push(
    { ...review, body: 'Nearly.', state: 'CHANGES_REQUESTED' },
    { ...review, body: '', state: 'COMMENTED' },
    { ...review, body: 'a draft of mine', state: 'PENDING' },
    { ...review, body: '', state: 'APPROVED' },
  );
  const thread = await talk.pullRequest('octo/hello', number);
  expect(thread.reviews.map(({ verdict, body }) => [verdict, body])).toEqual([
    ['changes_requested', 'Nearly.'],
    ['approved', ''],
  ]);
  expect(thread.threads).toHaveLength(30);
  expect(thread.threads[0]?.comments[0]?.body).toBe('remark 1');
  expect(thread.threads.at(-1)).toMatchObject({ line: null, outdated: true });
});

it('lists all files of a large pull request', async () => {
  const many = Object.fromEntries(Array.from({ length: 230 }, (_, index) => [`f/${index}.txt`, 'x\n']));
  const { number } = github.addPull(repo(), { branch: 'large', files: many });
  const { changedFiles, omittedFiles } = await talk.pullRequest('octo/hello', number);
  expect(changedFiles).toHaveLength(230);
  expect(omittedFiles).toBe(0);
});

it('does not read the threads of a pull request that is closed', async () => {
  const issue = github.addPull(repo(), { branch: 'mend', files });
  issue.state = 'closed';
  await expect(talk.pullRequest('octo/hello', issue.number)).rejects.toMatchObject({
    code: 'PR_NOT_FOUND_OR_CLOSED',
  });
});
