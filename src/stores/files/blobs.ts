import { open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkOffset, segmentsOf, segmentsOfPrefix } from '../blob-keys.ts';
import type { BlobStore } from '../blob-store.ts';
import { createTurns } from '../turns.ts';
import { makeFolder, syncFolder, writeAtomically } from './atomic-file.ts';
import { unlessMissing } from './missing.ts';

const PRIVATE = 0o600;

/** Blobs as files below `folder`, one for each key. Flushed before a write is acknowledged. */
export function createFileBlobs({ folder }: { folder: string }): BlobStore {
  const inTurn = createTurns();
  const pathOf = (key: string): string => join(folder, ...segmentsOf(key));

  return {
    async put(key, value) {
      const path = pathOf(key);
      await inTurn(path, () => writeAtomically(path, value, PRIVATE));
    },

    async append(key, offset, value) {
      const path = pathOf(key);
      checkOffset(offset);
      return inTurn(path, () => appendAt(path, offset, Buffer.from(value)));
    },

    async get(key) {
      return unlessMissing(readFile(pathOf(key)));
    },

    async delete(key) {
      const path = pathOf(key);
      await inTurn(path, () => rm(path, { force: true }));
    },

    async deletePrefix(prefix) {
      await rm(join(folder, ...segmentsOfPrefix(prefix)), { recursive: true, force: true });
    },
  };
}

async function appendAt(path: string, offset: number, value: Buffer): Promise<number> {
  await makeFolder(dirname(path));
  const file = await open(path, 'a', PRIVATE);
  try {
    const { size } = await file.stat();
    const fresh = offset > size ? Buffer.alloc(0) : value.subarray(size - offset);
    if (fresh.length === 0) return size;
    await file.writeFile(fresh);
    await file.datasync();
    if (size === 0) await syncFolder(dirname(path));
    return size + fresh.length;
  } finally {
    await file.close();
  }
}
