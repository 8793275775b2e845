import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeDataFolder } from './data-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgagent-data-folder-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('makes the folder and what is missing above it, for its owner alone', async () => {
  await makeDataFolder(join(folder, 'a/b/c'));
  expect((await stat(join(folder, 'a/b/c'))).mode & 0o777).toBe(0o700);
  await makeDataFolder(join(folder, 'a/b/c'));
});

it('says so where none can be made', async () => {
  await writeFile(join(folder, 'file'), '');
  for (const place of ['/proc/bgagent', '/proc/bgagent/below', join(folder, 'file/below')])
    await expect(makeDataFolder(place)).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      field: 'data-dir',
    });
});
