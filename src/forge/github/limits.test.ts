import { afterEach, beforeEach, expect, it } from 'vitest';
import { abuse, secondaryLimit, serverError, tooManyRequests } from '../../../test/fakes/github/faults.ts';
import { type GitHubFake, startGitHub } from '../../../test/fakes/github/github.ts';
import { githubRoom, type RoomClock, roomClock } from '../../../test/fixtures/github.ts';

let github: GitHubFake;
let clock: RoomClock;
beforeEach(async () => {
  clock = roomClock();
  github = await startGitHub({ now: clock.now });
  github.addRepo('octo/hello');
});
afterEach(() => github.close());

const REPO = /^\/repos\/octo\/hello$/;

it('waits at least a minute for a limit, as long as it says, then goes on (H2)', async () => {
  const { forge, waits, warnings } = githubRoom(github, { as: 'token' });
  github.fail({ path: REPO, failure: tooManyRequests(75) });
  await forge.preflight('octo/hello');
  expect(waits).toEqual([75_000]);
  expect(warnings).toEqual(['forge.github.limited']);
});

it.each([
  ['a secondary limit', secondaryLimit()],
  ['abuse detection', abuse()],
])('gives up on %s that comes again, with the time to wait', async (_, failure) => {
  const { forge, waits } = githubRoom(github, { as: 'token', clock });
  github.fail({ path: REPO, times: 2, failure });
  await expect(forge.preflight('octo/hello')).rejects.toMatchObject({
    code: 'GITHUB_RATE_LIMITED',
    retryAfterSeconds: 120,
  });
  expect(waits).toEqual([60_000]);
});

it('holds what one call was told for every other with the same credentials', async () => {
  const { forge } = githubRoom(github, { as: 'token', clock });
  github.fail({ path: REPO, failure: tooManyRequests(600) });
  await expect(forge.preflight('octo/hello')).rejects.toMatchObject({ code: 'GITHUB_RATE_LIMITED' });
  const before = github.requests.length;
  await expect(forge.branchHead('octo/hello', 'main')).rejects.toMatchObject({ code: 'GITHUB_RATE_LIMITED' });
  expect(github.requests).toHaveLength(before);
  await clock.sleep(600_000);
  expect(await forge.branchHead('octo/hello', 'main')).toMatch(/^[0-9a-f]{40}$/);
});

it('waits for the hour of the primary limit to be over', async () => {
  const { forge, waits } = githubRoom(github, { as: 'token', clock });
  Object.assign(github.limits, { remaining: 0, resetAtMs: clock.now() + 80_000 });
  await forge.branchHead('octo/hello', 'main');
  expect(waits).toHaveLength(1);
  expect(waits[0]).toBeGreaterThan(79_000);
});

it('warns once when few calls are left', async () => {
  const { forge, warnings } = githubRoom(github, { as: 'token', clock });
  github.limits.remaining = 300;
  await forge.preflight('octo/hello');
  expect(warnings).toEqual(['forge.github.limit_low']);
});

it('makes no more content a minute than GitHub takes', async () => {
  github.limits.contentPerMinute = 80;
  const { forge, waits } = githubRoom(github, { as: 'token', clock });
  const issue = github.addIssue(github.repo('octo/hello'));
  for (let count = 0; count < 90; count += 1)
    await forge.collaboration?.comment('octo/hello', issue.number, { taskId: `T${count}`, body: 'Done.' });
  expect(issue.comments).toHaveLength(90);
  expect(waits).toHaveLength(1);
});

it('asks again after errors of the server and lost connections, with growing pauses', async () => {
  const { forge, waits } = githubRoom(github, { as: 'token', clock });
  github.fail({ path: REPO, failure: serverError(502) });
  github.fail({ path: REPO, failure: { kind: 'drop', effect: false } });
  await forge.preflight('octo/hello');
  expect(waits).toEqual([1_000, 2_000]);
});

it('says in the end that GitHub can not be reached', async () => {
  const { forge, waits } = githubRoom(github, { as: 'token', clock });
  github.fail({ path: REPO, times: 9, failure: serverError(503) });
  await expect(forge.preflight('octo/hello')).rejects.toMatchObject({ code: 'GITHUB_UNREACHABLE' });
  expect(waits).toEqual([1_000, 2_000, 4_000]);
});

it('says so of a server that does not answer, and of one that is not there', async () => {
  const silent = githubRoom(github, { as: 'token', clock, timeoutMs: 50 });
  github.fail({ path: REPO, times: 9, failure: { kind: 'silence' } });
  await expect(silent.forge.preflight('octo/hello')).rejects.toMatchObject({
    code: 'GITHUB_UNREACHABLE',
    message: expect.stringContaining('within 0.05 s'),
  });
  const nowhere = githubRoom(github, { as: 'token', clock, apiUrl: 'http://127.0.0.1:1/api/v3' });
  await expect(nowhere.forge.preflight('octo/hello')).rejects.toMatchObject({ code: 'GITHUB_UNREACHABLE' });
});

it('takes an answer that was cut for none', async () => {
  const { forge, waits } = githubRoom(github, { as: 'token', clock });
  const headers = { 'content-type': 'application/json' };
  github.fail({
    path: REPO,
    failure: { kind: 'answer', status: 200, body: '{"full_name": "octo/', headers },
  });
  await forge.preflight('octo/hello');
  expect(waits).toEqual([1_000]);
});
