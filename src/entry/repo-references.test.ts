import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRepoResolver } from './repo-references.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgagent-references-'));
  await mkdir(join(folder, 'data/work/mirrors/abc.git'), { recursive: true });
  await mkdir(join(folder, 'hello.git'));
  await symlink(join(folder, 'data/work/mirrors/abc.git'), join(folder, 'link.git'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('takes a repository beside the data folder, and says whether it is there', async () => {
  const resolve = createRepoResolver(join(folder, 'data'));
  expect(await resolve(join(folder, 'hello.git'))).toEqual({
    repo: join(folder, 'hello.git'),
    kind: 'local',
    missing: false,
  });
  expect(await resolve(join(folder, 'data-of-mine.git'))).toMatchObject({ kind: 'local', missing: true });
  expect(await resolve('octo/hello')).toMatchObject({ kind: 'named' });
});

it.each(['data', 'data/work/mirrors/abc.git', 'data/not-there', 'link.git'])(
  'refuses %s, which is the platform’s own',
  async (path) => {
    await expect(createRepoResolver(join(folder, 'data'))(join(folder, path))).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      field: 'repo',
    });
  },
);
