import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { blobStoreContract } from '../../../test/contracts/blob-store.contract.ts';
import type { BlobStore } from '../blob-store.ts';
import { createFileBlobs } from './blobs.ts';

const aFolder = (): string => mkdtempSync(join(tmpdir(), 'bgagent-blobs-'));

blobStoreContract({
  name: 'files',
  create: async () => {
    const folder = aFolder();
    return {
      blobs: createFileBlobs({ folder: join(folder, 'blobs') }),
      close: async () => rmSync(folder, { recursive: true }),
    };
  },
});

describe('blobs in files', () => {
  let folder: string;
  let blobs: BlobStore;
  beforeEach(() => {
    folder = aFolder();
    blobs = createFileBlobs({ folder: join(folder, 'blobs') });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('are for their owner only', async () => {
    await blobs.put('payloads/task/1.json', '{}');
    await blobs.append('logs/task/1', 0, 'x');
    const modes = ['', 'payloads', 'payloads/task/1.json', 'logs/task', 'logs/task/1'].map(
      (path) => statSync(join(folder, 'blobs', path)).mode & 0o077,
    );
    expect(modes).toEqual([0, 0, 0, 0, 0]);
  });

  it('leave no half-written file behind, also when a write fails', async () => {
    await blobs.put('a/b', 'x');
    mkdirSync(join(folder, 'blobs/a/taken/inside'), { recursive: true });
    await expect(blobs.put('a/taken', 'x')).rejects.toThrow();
    expect(readdirSync(join(folder, 'blobs/a')).sort()).toEqual(['b', 'taken']);
  });

  it('replace what a process that died left of a write', async () => {
    await blobs.put('a/first', 'x');
    for (let n = 0; n < 50; n += 1) writeFileSync(join(folder, `blobs/a/.${process.pid}-${n}.tmp`), 'half');
    await blobs.put('a/b', 'whole');
    expect(Buffer.from((await blobs.get('a/b')) ?? []).toString()).toBe('whole');
  });
});
