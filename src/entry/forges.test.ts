import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aRepo } from '../../test/fixtures/repo.ts';
import { defaultSettings } from '../config/settings.ts';
import { createForges } from './forges.ts';
import { createRepoResolver } from './repo-references.ts';

let folder: string;
const secrets = new Map<string, string>();
const onboarded = new Map<string, { token_secret?: string }>();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgagent-forges-'));
  secrets.clear();
  onboarded.clear();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const make = (settings = {}) => {
  const forges = createForges({
    settings: { ...defaultSettings(), ...settings },
    secrets: { get: async (name) => secrets.get(name) },
    repos: {
      async get(repo) {
        const given = onboarded.get(repo);
        return given && aRepo({ repo, ...given });
      },
    },
    environment: {},
    log: pino({ level: 'silent' }),
  });
  return { ...forges, resolve: createRepoResolver(folder, forges.github) };
};

describe('which forge serves a repository', () => {
  it.each([
    ['octo/hello', 'github'],
    ['https://github.com/octo/hello', 'git'],
    ['git@github.com:octo/hello', 'git'],
    ['/srv/git/hello.git', 'git'],
  ])('%s: %s', (repo, type) => {
    expect(make().forgeFor(repo).type).toBe(type);
  });
});

describe('an address on GitHub', () => {
  const URL = 'https://github.com/octo/hello.git';

  it('is the repository of that name once there is a token or an App', async () => {
    expect(await make().resolve(URL)).toMatchObject({ kind: 'url' });
    secrets.set('GITHUB_TOKEN', 'ghp_x');
    expect(await make().resolve(URL)).toEqual({ kind: 'named', repo: 'octo/hello' });
    secrets.clear();
    expect(await make({ github_app_id: 7 }).resolve(URL)).toEqual({ kind: 'named', repo: 'octo/hello' });
  });

  it('is so, too, when the repository is onboarded by name with a token of its own', async () => {
    onboarded.set('octo/hello', { token_secret: 'MINE' });
    expect(await make().resolve(URL)).toMatchObject({ kind: 'named' });
  });

  it('stays what it was for those who work on it as a plain git remote', async () => {
    secrets.set('GITHUB_TOKEN', 'ghp_x');
    onboarded.set(URL, {});
    expect(await make().resolve(URL)).toEqual({ kind: 'url', repo: URL });
  });

  it.each([
    'https://github.com.example.com/octo/hello',
    'https://gitlab.com/octo/hello',
    'https://github.com/octo',
  ])('is not %s', async (url) => {
    secrets.set('GITHUB_TOKEN', 'ghp_x');
    expect(await make().resolve(url)).toMatchObject({ kind: 'url' });
  });

  it('of a company is on the host of its API', async () => {
    secrets.set('GITHUB_TOKEN', 'ghp_x');
    const { resolve, forgeFor } = make({ github_api_url: 'https://ghe.example.com/api/v3' });
    expect(await resolve('https://ghe.example.com/octo/hello')).toMatchObject({ kind: 'named' });
    expect(await resolve('https://github.com/octo/hello')).toMatchObject({ kind: 'url' });
    expect(forgeFor('octo/hello').compareUrl('octo/hello', 'main', 'a/b')).toBe(
      'https://ghe.example.com/octo/hello/compare/main...a/b',
    );
  });
});

it('sends the key of the App to no remote, whoever names it', async () => {
  secrets.set('GITHUB_APP_PRIVATE_KEY', 'key');
  onboarded.set('octo/hello', { token_secret: 'GITHUB_APP_PRIVATE_KEY' });
  await expect(make().forgeFor('octo/hello').credentials('octo/hello')).rejects.toMatchObject({
    code: 'REPO_UNREACHABLE',
    field: 'token_secret',
  });
});
