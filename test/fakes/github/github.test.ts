import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { git } from '../../fixtures/git-repo.ts';
import { githubRoom } from '../../fixtures/github.ts';
import { secondaryLimit } from './faults.ts';
import { type GitHubFake, startGitHub } from './github.ts';

/** What the fake itself promises; that the platform uses it rightly is for the tests of the forge. */

let github: GitHubFake;
beforeEach(async () => {
  github = await startGitHub();
});
afterEach(() => github.close());

const api = async (
  path: string,
  { token, method = 'GET', body }: { token?: string; method?: string; body?: unknown } = {},
): Promise<{ status: number; data: unknown; headers: Headers }> => {
  const response = await fetch(`${github.apiUrl}${path}`, {
    method,
    redirect: 'manual',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, data: text === '' ? null : JSON.parse(text), headers: response.headers };
};

const run = promisify(execFile);

/** A push as the runner makes it: the token in a header. */
async function push(token: string, files: Record<string, string>, branch: string): Promise<string> {
  const repo = github.repo('octo/hello');
  github.commit(repo, branch, files);
  const work = join(repo.gitDir, '..', `pushing-${branch}`);
  git(join(repo.gitDir, '..'), 'clone', '--quiet', '--branch', branch, repo.gitDir, work);
  git(repo.gitDir, 'update-ref', '-d', `refs/heads/${branch}`);
  const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
  const setting = `http.extraHeader=Authorization: Basic ${basic}`;
  const args = ['-c', setting, 'push', '--porcelain', `${github.url}/octo/hello.git`, branch];
  return run('git', args, { cwd: work, env: { PATH: process.env.PATH, GIT_TERMINAL_PROMPT: '0' } }).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: { stdout: string; stderr: string }) => error.stdout + error.stderr,
  );
}

it('lets a token in by its rights, and names the ones that are missing', async () => {
  github.addRepo('octo/hello');
  const classic = github.addToken();
  expect(await api('/repos/octo/hello', { token: classic })).toMatchObject({
    status: 200,
    data: { full_name: 'octo/hello', permissions: { push: true } },
  });
  const narrow = github.addFineGrainedToken({ permissions: { contents: 'read' } });
  const refused = await api('/repos/octo/hello/pulls', { token: narrow });
  expect(refused.status).toBe(403);
  expect(refused.headers.get('x-accepted-github-permissions')).toBe('pull_requests=read');
  expect((await api('/repos/octo/hello')).status).toBe(404);
});

it('remembers a token that was never issued as a fault of the caller', async () => {
  expect((await api('/user', { token: 'ghp_guessed' })).status).toBe(401);
  expect(github.takeViolations()).toHaveLength(1);
});

it('moves the head of a pull request with its branch', async () => {
  const repo = github.addRepo('octo/hello');
  const token = github.addToken();
  const issue = github.addPull(repo, { branch: 'mend', files: { 'README.md': '# Hello there\n' } });
  const sha = github.commit(repo, 'mend', { 'more.txt': 'more\n' });
  expect(await api(`/repos/octo/hello/pulls/${issue.number}`, { token })).toMatchObject({
    data: { head: { ref: 'mend', sha }, changed_files: 2 },
  });
});

it('takes a push with the right to it', async () => {
  github.addRepo('octo/hello');
  const token = github.addToken();
  expect(await push(token, { 'more.txt': 'more\n' }, 'mend')).toContain('[new branch]');
  expect(github.head(github.repo('octo/hello'), 'mend')).not.toBeNull();
});

it('refuses workflow files to a token without that scope, in the words of GitHub', async () => {
  github.addRepo('octo/hello');
  const files = { '.github/workflows/ci.yml': 'on: push\n' };
  expect(await push(github.addToken(), files, 'ci')).toContain(
    'refusing to allow a Personal Access Token to create or update workflow `.github/workflows/ci.yml` without `workflow` scope',
  );
  expect(github.head(github.repo('octo/hello'), 'ci')).toBeNull();
});

it('lets workflow files in with that scope', async () => {
  github.addRepo('octo/hello');
  const token = github.addToken({ scopes: ['repo', 'workflow'] });
  expect(await push(token, { '.github/workflows/ci.yml': 'on: push\n' }, 'ci')).toContain('[new branch]');
});

it('notices a token for pushing on the API, and one for the API in git', async () => {
  github.addRepo('octo/hello');
  const { forge } = githubRoom(github);
  const { password = '' } = (await forge.credentials('octo/hello')) ?? {};
  expect(await push(password, { 'more.txt': 'more\n' }, 'mend')).toContain('[new branch]');
  expect(github.takeViolations()).toEqual([]);
  await api('/repos/octo/hello', { token: password });
  expect(github.takeViolations()).toEqual([expect.stringContaining('may push')]);
  await forge.preflight('octo/hello');
  const [own = ''] = [...github.world.tokens]
    .filter(([, token]) => 'permissions' in token && token.permissions.issues)
    .map(([value]) => value);
  await push(own, { 'more.txt': 'more\n' }, 'other');
  expect(github.takeViolations()).not.toEqual([]);
});

it('fails when it is told to, once', async () => {
  github.addRepo('octo/hello');
  const token = github.addToken();
  github.fail({ path: /hello/, failure: secondaryLimit(60) });
  github.fail({ method: 'POST', failure: { kind: 'drop', effect: true } });
  expect((await api('/repos/octo/hello', { token })).status).toBe(403);
  expect((await api('/repos/octo/hello', { token })).status).toBe(200);
  const issue = github.addIssue(github.repo('octo/hello'));
  const path = `/repos/octo/hello/issues/${issue.number}/comments`;
  await expect(api(path, { token, method: 'POST', body: { body: 'Hi' } })).rejects.toThrow();
  expect(issue.comments).toHaveLength(1);
});

it('leads from the old name of a repository to the new one', async () => {
  const repo = github.addRepo('octo/hello');
  github.rename(repo, 'octo/world');
  const answer = await api('/repos/octo/hello', { token: github.addToken() });
  expect(answer.status).toBe(301);
  expect(answer.headers.get('location')).toBe(`${github.apiUrl}/repositories/${repo.id}`);
});

it('does not let a call be forgotten that used a token wrongly', async () => {
  const other = await startGitHub();
  await fetch(`${other.apiUrl}/user`, { headers: { authorization: 'Bearer nonsense' } });
  await expect(other.close()).rejects.toThrow('never issued');
});
