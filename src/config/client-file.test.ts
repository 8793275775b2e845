import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientFileOf, readClientFile, writeClientFile } from './client-file.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'bgagent-config-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

const CONTENT = { api_url: 'http://127.0.0.1:7788', api_key: 'bgak_secret' };

describe('client.json', () => {
  it('is read as it was written, by its owner only, and leaves nothing else', async () => {
    await writeClientFile(dataDir, CONTENT);
    expect(await readClientFile(dataDir)).toEqual(CONTENT);
    expect((await stat(clientFileOf(dataDir))).mode & 0o777).toBe(0o600);
    expect(await readdir(dataDir)).toEqual(['client.json']);
  });

  it('closes a file that was open to others', async () => {
    await writeFile(clientFileOf(dataDir), '{}');
    await chmod(clientFileOf(dataDir), 0o644);
    await writeClientFile(dataDir, CONTENT);
    expect((await stat(clientFileOf(dataDir))).mode & 0o777).toBe(0o600);
  });

  it('makes its folder, for its owner only', async () => {
    const folder = join(dataDir, 'deeper', 'still');
    await writeClientFile(folder, CONTENT);
    expect(JSON.parse(await readFile(clientFileOf(folder), 'utf8'))).toEqual(CONTENT);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  it('is undefined before the platform ever ran', async () => {
    expect(await readClientFile(join(dataDir, 'nowhere'))).toBeUndefined();
  });

  it.each([
    ['{"api_key": "bgak_secret", nonsense', 'not valid JSON'],
    ['{"api_key": "bgak_secret"}', 'api_url'],
    ['{"api_key": "", "api_url": "http://127.0.0.1"}', 'api_key'],
    ['[]', 'the whole'],
  ])('of %j is refused by file and field, without its content', async (text, reason) => {
    await writeFile(clientFileOf(dataDir), text);
    const error = await readClientFile(dataDir).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR' });
    expect((error as Error).message).toContain(clientFileOf(dataDir));
    expect((error as Error).message).toContain(reason);
    expect((error as Error).message).not.toContain('bgak_secret');
    expect((error as Error).cause).toBeUndefined();
  });
});
