import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusal } from '../../../test/fakes/github/faults.ts';
import { type GitHubFake, startGitHub } from '../../../test/fakes/github/github.ts';
import {
  githubRoom,
  PRIVATE_KEY_SECRET,
  type RoomClock,
  roomClock,
  TOKEN_SECRET,
} from '../../../test/fixtures/github.ts';

let github: GitHubFake;
let clock: RoomClock;
beforeEach(async () => {
  clock = roomClock();
  github = await startGitHub({ now: clock.now });
  github.addRepo('octo/hello');
  github.addRepo('octo/other');
});
afterEach(() => github.close());

const tokensIssued = (): number =>
  github.requests.filter(({ path, status }) => path.endsWith('/access_tokens') && status === 201).length;

describe('as an App (H3)', () => {
  it('gives the runner a token for this repository and its contents only', async () => {
    const { forge } = githubRoom(github, { clock });
    const credentials = await forge.credentials('octo/hello');
    expect(credentials).toMatchObject({ username: 'x-access-token', expiresAt: expect.any(String) });
    const token = github.world.tokens.get(credentials?.password ?? '');
    expect(token).toMatchObject({
      kind: 'installation',
      repos: new Set([github.repo('octo/hello').id]),
      permissions: { metadata: 'read', contents: 'write' },
    });
  });

  it('gives a reader a token that can only read', async () => {
    const { forge } = githubRoom(github, { clock });
    const { password = '' } = (await forge.credentials('octo/hello', { push: false })) ?? {};
    expect(github.world.tokens.get(password)).toMatchObject({
      permissions: { metadata: 'read', contents: 'read' },
    });
  });

  it('asks for workflow files only where that is wanted', async () => {
    const permissions = {
      contents: 'write',
      pull_requests: 'write',
      issues: 'write',
      workflows: 'write',
    } as const;
    const { forge } = githubRoom(github, { clock, permissions, workflowFiles: true });
    const { password = '' } = (await forge.credentials('octo/hello')) ?? {};
    expect(github.world.tokens.get(password)).toMatchObject({
      permissions: { metadata: 'read', contents: 'write', workflows: 'write' },
    });
  });

  it('uses a token again until shortly before its end, then takes a new one', async () => {
    const { forge } = githubRoom(github, { clock });
    const first = await forge.credentials('octo/hello');
    await clock.sleep(45 * 60_000);
    expect(await forge.credentials('octo/hello')).toEqual(first);
    await clock.sleep(6 * 60_000);
    const next = await forge.credentials('octo/hello');
    expect(next?.password).not.toBe(first?.password);
    expect(tokensIssued()).toBe(2);
  });

  it('asks GitHub no more than it must: four times for the first look at a repository, then twice', async () => {
    const { forge } = githubRoom(github, { clock });
    const calls = async (): Promise<number> => {
      const before = github.requests.length;
      await forge.preflight('octo/hello');
      return github.requests.length - before;
    };
    expect([await calls(), await calls()]).toEqual([4, 2]);
  });

  it('works on through a long task, whose tokens end meanwhile', async () => {
    const { forge } = githubRoom(github, { clock });
    await forge.preflight('octo/hello');
    await clock.sleep(8 * 3_600_000);
    expect(await forge.branchHead('octo/hello', 'main')).not.toBeNull();
  });

  it('takes a new token once when one is revoked, and says so when that is refused as well', async () => {
    const { forge } = githubRoom(github, { clock });
    await forge.preflight('octo/hello');
    github.revokeAll();
    expect(await forge.branchHead('octo/hello', 'main')).not.toBeNull();
    expect(tokensIssued()).toBe(2);
    github.fail({ path: /git\/ref/, times: 5, failure: refusal(401, 'Bad credentials') });
    await expect(forge.branchHead('octo/hello', 'main')).rejects.toMatchObject({
      code: 'GITHUB_CREDENTIALS_REFUSED',
    });
    expect(tokensIssued()).toBe(3);
  });

  it.each([-300, 300])('copes with a clock that is %i s off', async (seconds) => {
    const skewed = await startGitHub({ now: () => Date.now() + seconds * 1_000 });
    try {
      skewed.addRepo('octo/hello');
      const { forge } = githubRoom(skewed);
      expect(await forge.preflight('octo/hello')).toMatchObject({ baseBranch: 'main' });
    } finally {
      await skewed.close();
    }
  });

  it('says where it is not installed, and where its installation is suspended', async () => {
    const { forge } = githubRoom(github, { clock });
    github.addRepo('mona/hello', { private: false });
    await expect(forge.preflight('mona/hello')).rejects.toMatchObject({
      code: 'REPO_NOT_FOUND_OR_NO_ACCESS',
      message: expect.stringContaining('not installed'),
    });
    for (const installation of github.world.installations) installation.suspended = true;
    await expect(forge.preflight('octo/hello')).rejects.toMatchObject({
      code: 'REPO_NOT_FOUND_OR_NO_ACCESS',
      message: expect.stringContaining('suspended'),
    });
  });

  it('names the permission that it lacks', async () => {
    const { forge } = githubRoom(github, {
      clock,
      permissions: { contents: 'write', pull_requests: 'read' },
    });
    await expect(forge.preflight('octo/hello', { issueNumber: 1 })).rejects.toMatchObject({
      code: 'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
      message: expect.stringMatching(/"Pull requests: Read and write" and "Issues: Read-only"/),
    });
  });

  it('sees a permission that was given since', async () => {
    const { forge } = githubRoom(github, { clock, permissions: { contents: 'read' } });
    await expect(forge.preflight('octo/hello')).rejects.toMatchObject({
      code: 'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
    });
    for (const installation of github.world.installations)
      installation.permissions = { contents: 'write', pull_requests: 'write' };
    expect(await forge.preflight('octo/hello')).toMatchObject({ baseBranch: 'main' });
  });

  it('says that key and App do not fit, and of what is no key', async () => {
    const { forge, secrets } = githubRoom(github, { clock });
    secrets.set(PRIVATE_KEY_SECRET, 'secret-but-no-key');
    const failure = await forge.preflight('octo/hello').catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'GITHUB_CREDENTIALS_REFUSED' });
    expect(inspect(failure, { depth: 9 })).not.toContain('secret-but-no-key');
    secrets.delete(PRIVATE_KEY_SECRET);
    await expect(forge.preflight('octo/hello')).rejects.toMatchObject({ code: 'GITHUB_NOT_CONFIGURED' });
  });
});

describe('with a token', () => {
  it('takes the token of the repository before that of the platform', async () => {
    const own = github.addToken({ login: 'octo' });
    const { forge, secrets } = githubRoom(github, {
      as: 'token',
      repoToken: async (repo) => (repo === 'octo/other' ? own : null),
    });
    expect((await forge.credentials('octo/other'))?.password).toBe(own);
    expect((await forge.credentials('octo/hello'))?.password).toBe(secrets.get(TOKEN_SECRET));
  });

  it('uses one that was replaced meanwhile, and says of a revoked one that it is refused', async () => {
    const { forge, secrets } = githubRoom(github, { as: 'token' });
    await forge.preflight('octo/hello');
    github.revokeAll();
    await expect(forge.preflight('octo/hello')).rejects.toMatchObject({ code: 'GITHUB_CREDENTIALS_REFUSED' });
    secrets.set(TOKEN_SECRET, github.addToken());
    expect(await forge.preflight('octo/hello')).toMatchObject({ baseBranch: 'main' });
  });

  it('says that GitHub is not set up when there is none', async () => {
    const { forge } = githubRoom(github, { as: 'nobody' });
    await expect(forge.preflight('octo/hello')).rejects.toMatchObject({ code: 'GITHUB_NOT_CONFIGURED' });
  });

  it('names the scope that a classic one lacks', async () => {
    const { forge, secrets } = githubRoom(github, { as: 'nobody' });
    github.addRepo('octo/open', { private: false });
    secrets.set(TOKEN_SECRET, github.addToken({ scopes: ['read:org'] }));
    await expect(forge.preflight('octo/open')).rejects.toMatchObject({
      code: 'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
      message: expect.stringContaining('the scope "public_repo"'),
    });
  });

  it('names the permission that a fine-grained one lacks', async () => {
    const { forge, secrets } = githubRoom(github, { as: 'nobody' });
    secrets.set(
      TOKEN_SECRET,
      github.addFineGrainedToken({ permissions: { contents: 'read', issues: 'read' } }),
    );
    await expect(forge.preflight('octo/hello')).rejects.toMatchObject({
      code: 'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
      message: expect.stringContaining('"Contents: Read and write"'),
    });
    const pull = github.addPull(github.repo('octo/hello'), { branch: 'mend', files: { 'a.txt': 'a\n' } });
    await expect(forge.collaboration?.pullRequest('octo/hello', pull.number)).rejects.toMatchObject({
      code: 'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
      message: expect.stringContaining('"Pull requests: Read-only"'),
    });
  });
});

it('shows no token and no key in errors and logs (N2)', async () => {
  const { forge, secrets, logged, app } = githubRoom(github, { clock });
  const errors: unknown[] = [];
  const collect = (promise: Promise<unknown> | undefined): Promise<void> =>
    Promise.resolve(promise).then(
      () => undefined,
      (error: unknown) => void errors.push(error),
    );
  await forge.preflight('octo/hello');
  const runner = await forge.credentials('octo/hello');
  for (const failure of [
    refusal(403, 'no'),
    refusal(422, 'no'),
    refusal(500, 'no'),
    { kind: 'drop', effect: false },
  ] as const) {
    github.fail({ times: 4, failure });
    await collect(forge.collaboration?.issue('octo/hello', 1));
  }
  github.fail({ path: /graphql/, failure: refusal(403, 'no') });
  const pull = github.addPull(github.repo('octo/hello'), { branch: 'mend', files: { 'a.txt': 'a\n' } });
  await collect(forge.collaboration?.pullRequest('octo/hello', pull.number));
  github.revokeAll();
  github.fail({
    path: /installation/,
    times: 9,
    failure: refusal(401, 'A JSON web token could not be decoded'),
  });
  await collect(forge.branchHead('octo/hello', 'main'));
  expect(errors).toHaveLength(6);
  const shown = `${inspect(errors, { depth: 20, showHidden: true, maxStringLength: null })}${logged()}`;
  const key = app?.privateKey.split('\n')[3] ?? '';
  for (const secret of [...github.world.tokens.keys(), ...secrets.values(), runner?.password ?? '', key])
    expect(shown).not.toContain(secret);
  expect(shown).not.toMatch(/authorization|ghs_|eyJ/i);
});
