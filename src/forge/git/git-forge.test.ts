import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forgeContract } from '../../../test/contracts/forge.contract.ts';
import { bareRepo, git } from '../../../test/fixtures/git-repo.ts';
import { startGitServer } from '../../../test/fixtures/git-server.ts';
import { createGitForge } from './git-forge.ts';

const environment = { PATH: process.env.PATH };

forgeContract('git, local path', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-forge-'));
  return {
    forge: createGitForge({ environment }),
    withoutCollaboration: 'a plain git remote has neither issues nor pull requests',
    async repo() {
      const repo = bareRepo(folder);
      return { repo, defaultBranch: 'main', head: git(repo, 'rev-parse', 'main') };
    },
    async emptyRepo() {
      git(folder, 'init', '--quiet', '--bare', 'empty.git');
      return join(folder, 'empty.git');
    },
    missingRepo: async () => join(folder, 'nowhere.git'),
    async readOnlyRepo() {
      // Root may write everywhere.
      if (process.getuid?.() === 0) return null;
      const repo = bareRepo(folder);
      await chmod(join(repo, 'objects'), 0o555);
      return repo;
    },
    async createBranch(repo, branch) {
      git(repo, 'branch', branch, 'main');
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

forgeContract('git, over HTTP with a token', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-forge-'));
  const credentials = { username: 'octo', password: 'token-1234' };
  const server = await startGitServer(folder, { credentials });
  return {
    forge: createGitForge({ environment, credentialsFor: async () => credentials }),
    withoutCollaboration: 'a plain git remote has neither issues nor pull requests',
    async repo() {
      const repo = bareRepo(folder);
      return { repo: `${server.url}/hello.git`, defaultBranch: 'main', head: git(repo, 'rev-parse', 'main') };
    },
    async emptyRepo() {
      git(folder, 'init', '--quiet', '--bare', 'empty.git');
      return `${server.url}/empty.git`;
    },
    missingRepo: async () => `${server.url}/nowhere.git`,
    async readOnlyRepo() {
      git(bareRepo(folder), 'config', 'http.receivepack', 'false');
      return `${server.url}/hello.git`;
    },
    async createBranch(repo, branch) {
      git(join(folder, repo.slice(server.url.length)), 'branch', branch, 'main');
    },
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});

describe('the git forge', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bgagent-forge-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('takes another default branch, and a work tree as well as a bare repository', async () => {
    const forge = createGitForge({ environment });
    const source = join(folder, 'source');
    bareRepo(folder);
    git(source, 'checkout', '--quiet', '-b', 'trunk');
    expect(await forge.preflight(source)).toMatchObject({ url: source, baseBranch: 'trunk' });
  });

  it('copes with a detached HEAD by the branch that is there', async () => {
    const repo = bareRepo(folder);
    const head = git(repo, 'rev-parse', 'main');
    git(repo, 'update-ref', '--no-deref', 'HEAD', head);
    expect(await createGitForge({ environment }).preflight(repo)).toMatchObject({
      baseBranch: 'main',
      baseSha: head,
    });
  });

  it('names the branches when HEAD means none of them', async () => {
    const repo = bareRepo(folder);
    git(repo, 'symbolic-ref', 'HEAD', 'refs/heads/gone');
    await expect(createGitForge({ environment }).preflight(repo)).rejects.toMatchObject({
      code: 'BRANCH_INVALID',
      message: expect.stringContaining('main'),
    });
  });

  it('says that git is too old, or not there', async () => {
    await writeFile(join(folder, 'git'), '#!/bin/sh\necho git version 2.25.1\n', { mode: 0o755 });
    const old = createGitForge({ environment: { PATH: `${folder}:${process.env.PATH}` } });
    await expect(old.preflight('/srv/git/hello.git')).rejects.toMatchObject({
      message: expect.stringContaining('2.31'),
    });
    const none = createGitForge({ environment: { PATH: '/nowhere' } });
    await expect(none.preflight('/srv/git/hello.git')).rejects.toMatchObject({ code: 'REPO_UNREACHABLE' });
  });

  it('says which forge is missing for owner/name', async () => {
    await expect(createGitForge({ environment }).preflight('octo/hello')).rejects.toMatchObject({
      code: 'REPO_UNREACHABLE',
    });
  });

  it('says what the server says when a token is wrong, without the token', async () => {
    bareRepo(folder);
    const server = await startGitServer(folder, {
      credentials: { username: 'octo', password: 'right-token' },
    });
    const forge = createGitForge({
      environment,
      credentialsFor: async () => ({ username: 'octo', password: 'wrong-token' }),
    });
    try {
      const failure = await forge.preflight(`${server.url}/hello.git`).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'REPO_UNREACHABLE' });
      expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toMatch(/wrong-token/);
    } finally {
      await server.close();
    }
  });

  it('gives up on a server that does not answer', async () => {
    const server = await startGitServer(folder, { silent: true });
    try {
      const forge = createGitForge({ environment, timeoutMs: 300 });
      await expect(forge.preflight(`${server.url}/hello.git`)).rejects.toMatchObject({
        code: 'REPO_UNREACHABLE',
        message: expect.stringContaining('longer than'),
      });
    } finally {
      await server.close();
    }
  });

  it.each([
    ['https://github.com/octo/hello.git', 'https://github.com/octo/hello/compare/main...bgagent/x/y'],
    ['git@github.com:octo/hello.git', 'https://github.com/octo/hello/compare/main...bgagent/x/y'],
    ['ssh://git@gitlab.com:22/octo/hello', 'https://gitlab.com/octo/hello/-/compare/main...bgagent/x/y'],
    ['https://git.example.com/octo/hello', null],
    ['/srv/git/hello.git', null],
    ['octo/hello', null],
  ])('links the comparison of %s', (repo, url) => {
    expect(createGitForge({}).compareUrl(repo, 'main', 'bgagent/x/y')).toBe(url);
  });
});
