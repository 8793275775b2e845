import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusal } from '../../../test/fakes/github/faults.ts';
import { type GitHubFake, startGitHub } from '../../../test/fakes/github/github.ts';
import { githubRoom, roomClock } from '../../../test/fixtures/github.ts';
import type { Forge } from '../forge.ts';

describe.each(['app', 'token'] as const)('before a task begins, as %s (O1)', (as) => {
  let github: GitHubFake;
  let forge: Forge;
  beforeEach(async () => {
    const clock = roomClock();
    github = await startGitHub({ now: clock.now });
    ({ forge } = githubRoom(github, { as, clock }));
  });
  afterEach(() => github.close());

  const files = { 'more.txt': 'more\n' };

  it('takes the default branch whatever its name, and the address without credentials', async () => {
    const repo = github.addRepo('octo/hello', { defaultBranch: 'trunk' });
    expect(await forge.preflight('octo/hello')).toEqual({
      url: `${github.url}/octo/hello.git`,
      baseBranch: 'trunk',
      baseSha: github.head(repo, 'trunk'),
      pullRequest: null,
      warnings: [],
    });
  });

  it('refuses an archived repository, unless it is only read', async () => {
    github.addRepo('octo/hello', { archived: true });
    await expect(forge.preflight('octo/hello')).rejects.toMatchObject({ code: 'REPO_ARCHIVED' });
    expect(await forge.preflight('octo/hello', { push: false })).toMatchObject({ baseBranch: 'main' });
  });

  it('follows a repository that was renamed, and says so', async () => {
    const repo = github.addRepo('octo/hello');
    github.rename(repo, 'octo/world');
    const source = await forge.preflight('octo/hello');
    expect(source).toMatchObject({
      url: `${github.url}/octo/world.git`,
      warnings: ['octo/hello is called octo/world now: onboard it under that name'],
    });
    const issue = github.addIssue(repo);
    expect(await forge.collaboration?.issue('octo/hello', issue.number)).toMatchObject({
      number: issue.number,
    });
    await forge.collaboration?.comment('octo/hello', issue.number, { taskId: 'T1', body: 'Done.' });
    expect(issue.comments).toHaveLength(1);
  });

  it('opens one pull request in a repository that was renamed', async () => {
    const repo = github.addRepo('octo/hello');
    github.commit(repo, 'mend', files);
    github.rename(repo, 'octo/world');
    const draft = {
      taskId: 'T1',
      branch: 'mend',
      base: 'main',
      title: 'Mend',
      body: '',
      draft: false,
      labels: ['bgagent'],
      reviewers: [],
    };
    expect(await forge.collaboration?.openPullRequest('octo/hello', draft)).toMatchObject({ created: true });
    expect(await forge.collaboration?.openPullRequest('octo/hello', draft)).toMatchObject({ created: false });
  });

  it.each(['closed', 'merged'] as const)('refuses a pull request that is %s', async (state) => {
    const repo = github.addRepo('octo/hello');
    const issue = github.addPull(repo, { branch: 'mend', files });
    issue.state = 'closed';
    issue.pull.merged = state === 'merged';
    await expect(forge.preflight('octo/hello', { prNumber: issue.number })).rejects.toMatchObject({
      code: 'PR_NOT_FOUND_OR_CLOSED',
      message: expect.stringContaining(state),
    });
  });

  it('refuses to work on the branch of a fork, and reads it all the same', async () => {
    const repo = github.addRepo('octo/hello');
    const fork = github.fork(repo, 'mona');
    const { number, pull } = github.addPull(repo, { branch: 'mend', files, from: fork });
    await expect(forge.preflight('octo/hello', { prNumber: number })).rejects.toMatchObject({
      code: 'PR_FROM_FORK',
      message: expect.stringContaining('mona/hello'),
    });
    expect(await forge.preflight('octo/hello', { prNumber: number, push: false })).toMatchObject({
      pullRequest: { fromFork: true, headRef: `refs/pull/${number}/head`, headSha: pull.headSha },
    });
    fork.deleted = true;
    await expect(forge.preflight('octo/hello', { prNumber: number })).rejects.toMatchObject({
      code: 'PR_FROM_FORK',
    });
  });

  it('says that a branch is protected, and refuses one that rules close for certain', async () => {
    const repo = github.addRepo('octo/hello');
    const { number } = github.addPull(repo, { branch: 'release', files });
    repo.protectedBranches.add('release');
    const needs = { prNumber: number };
    expect(await forge.preflight('octo/hello', needs)).toMatchObject({
      warnings: [expect.stringContaining('release of octo/hello is protected')],
    });
    repo.rules.push({ prefix: 'release', type: 'pull_request', bypass: 'never', id: 7 });
    await expect(forge.preflight('octo/hello', needs)).rejects.toMatchObject({ code: 'PUSH_REJECTED' });
    Object.assign(repo.rules[0] ?? {}, { bypass: 'always' });
    expect(await forge.preflight('octo/hello', needs)).toMatchObject({ warnings: [] });
  });

  it('warns of protection also where rules are not shown', async () => {
    const repo = github.addRepo('octo/hello');
    const { number } = github.addPull(repo, { branch: 'release', files });
    repo.protectedBranches.add('release');
    github.fail({ path: /\/rules\//, failure: refusal(404, 'Not Found') });
    expect(await forge.preflight('octo/hello', { prNumber: number })).toMatchObject({
      warnings: [expect.stringContaining('protected')],
    });
  });

  it('sees a rule against new branches before one is made', async () => {
    const repo = github.addRepo('octo/hello');
    repo.rules.push({ prefix: 'bgagent/', type: 'creation', bypass: 'never', id: 7 });
    await expect(forge.preflight('octo/hello', { branch: 'bgagent/x/y' })).rejects.toMatchObject({
      code: 'PUSH_REJECTED',
    });
    expect(await forge.preflight('octo/hello', { branch: 'other' })).toMatchObject({ warnings: [] });
  });

  it.each(['nowhere', 'octo/', 'octo/hello/more', 'octo/nowhere'])('does not find %j', async (name) => {
    await expect(forge.preflight(name)).rejects.toMatchObject({ code: 'REPO_NOT_FOUND_OR_NO_ACCESS' });
  });
});
