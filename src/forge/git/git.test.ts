import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bareRepo, git as plainGit } from '../../../test/fixtures/git-repo.ts';
import { startGitServer } from '../../../test/fixtures/git-server.ts';
import { createGit, GitError, gitFailure } from './git.ts';

const environment = { PATH: process.env.PATH };

describe('git', () => {
  let folder: string;
  const git = createGit({ environment });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bgagent-git-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('says why it failed in git’s own words', async () => {
    const failure = await git
      .text(['rev-parse', 'nothing'], { cwd: folder })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      kind: 'exit',
      code: 128,
      reason: expect.stringContaining('not a git repository'),
    });
    expect(gitFailure(failure, 'CLONE_FAILED', 'the clone failed')).toMatchObject({
      code: 'CLONE_FAILED',
      message: expect.stringContaining('not a git repository'),
    });
  });

  it('runs no hook, alias, pager or monitor of a repository', async () => {
    const repo = join(folder, 'source');
    bareRepo(folder);
    const proof = join(folder, 'proof');
    for (const hook of ['pre-commit', 'post-commit', 'reference-transaction', 'post-index-change'])
      writeFileSync(join(repo, '.git/hooks', hook), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
    for (const key of [
      'core.fsmonitor',
      'core.pager',
      'core.editor',
      'core.sshCommand',
      'credential.helper',
      'diff.external',
      'gpg.program',
    ])
      plainGit(repo, 'config', key, `touch ${proof};`);
    writeFileSync(join(repo, 'README.md'), 'changed');
    await git.run(['add', '--all'], { cwd: repo });
    await git.run(['commit', '-m', 'x'], {
      cwd: repo,
      env: {
        GIT_AUTHOR_NAME: 'a',
        GIT_AUTHOR_EMAIL: 'a@b',
        GIT_COMMITTER_NAME: 'a',
        GIT_COMMITTER_EMAIL: 'a@b',
      },
    });
    await git.run(['diff-index', '-p', '--no-ext-diff', 'HEAD~1'], { cwd: repo });
    expect(existsSync(proof)).toBe(false);
  });

  it('reads no settings of the machine or the user', async () => {
    writeFileSync(join(folder, '.gitconfig'), '[user]\n\tname = nobody\n');
    const mine = createGit({ environment: { ...environment, HOME: folder } });
    await expect(mine.text(['config', 'user.name'], { cwd: folder })).rejects.toMatchObject({ code: 1 });
  });

  it.each([
    ['ext::', 'ext::sh -c "touch PROOF"'],
    ['fd::', 'fd::17'],
    ['file, unless it is asked for', 'file://REPO'],
    ['a local path, unless it is asked for', 'REPO'],
  ])('refuses the transport %s', async (_, url) => {
    const repo = bareRepo(folder);
    const reference = url.replace('PROOF', join(folder, 'proof')).replace('REPO', repo);
    await expect(git.run(['ls-remote', reference])).rejects.toThrow(GitError);
    expect(existsSync(join(folder, 'proof'))).toBe(false);
  });

  it('takes a local repository when it is asked to', async () => {
    expect(await git.text(['ls-remote', bareRepo(folder)], { allowFile: true })).toContain('refs/heads/main');
  });

  it('hands credentials to the server, and shows them to nobody else', async () => {
    const credentials = { username: 'octo', password: `secret-${'x'.repeat(20)}` };
    const basic = Buffer.from(`octo:${credentials.password}`).toString('base64');
    const server = await startGitServer(folder, { credentials });
    bareRepo(folder);
    const seen: string[] = [];
    const watch = setInterval(() => seen.push(...commandLines()), 1);
    try {
      const mirror = join(folder, 'mirror.git');
      mkdirSync(mirror);
      await git.run(['init', '--bare'], { cwd: mirror });
      const url = `${server.url}/hello.git`;
      await git.run(['fetch', url, '+refs/heads/*:refs/heads/*'], { gitDir: mirror, credentials });
      await expect(git.run(['fetch', url], { gitDir: mirror })).rejects.toMatchObject({
        reason: expect.stringMatching(/wants credentials|Authentication failed/),
      });
      const files = readdirSync(mirror, { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      );
      const written = files
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
        .join('');
      expect(written + seen.join('\n')).not.toMatch(new RegExp(`${credentials.password}|${basic}`));
    } finally {
      clearInterval(watch);
      await server.close();
    }
  });

  it('stops what takes too long, and what is not wanted any more, with all that git started', async () => {
    const server = await startGitServer(folder, { silent: true });
    try {
      const url = `${server.url}/hello.git`;
      await expect(git.run(['ls-remote', url], { timeoutMs: 150 })).rejects.toMatchObject({
        kind: 'timeout',
      });
      const stopped = new AbortController();
      setTimeout(() => stopped.abort(), 100);
      await expect(git.run(['ls-remote', url], { signal: stopped.signal })).rejects.toMatchObject({
        kind: 'aborted',
      });
      expect(commandLines().filter((line) => line.includes(url))).toEqual([]);
    } finally {
      await server.close();
    }
  });

  it('keeps output within its bounds: an error, or cut where that is wanted', async () => {
    const repo = bareRepo(folder, { 'big.txt': 'x'.repeat(100_000) });
    const show = ['show', 'main:big.txt'];
    await expect(git.run(show, { gitDir: repo, maxOutputBytes: 1_000 })).rejects.toMatchObject({
      kind: 'output',
    });
    const { stdout, truncated } = await git.run(show, {
      gitDir: repo,
      maxOutputBytes: 1_000,
      truncate: true,
    });
    expect({ length: stdout.length, truncated }).toEqual({ length: 1_000, truncated: true });
  });

  it('that is not installed is said plainly', async () => {
    const nowhere = createGit({ environment: { PATH: folder } });
    await expect(nowhere.run(['--version'])).rejects.toMatchObject({ kind: 'missing' });
  });
});

function commandLines(): string[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return line.startsWith('git') || line.includes('/git-') ? [line] : [];
    } catch {
      // Ended meanwhile.
      return [];
    }
  });
}
