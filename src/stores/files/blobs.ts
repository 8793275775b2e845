import { open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BgAgentError } from '../../task/errors.ts';
import type { BlobStore } from '../blob-store.ts';
import { makeFolder, syncFolder, writeAtomically } from './atomic-file.ts';
import { unlessMissing } from './missing.ts';
import { createTurns } from './turns.ts';

/** No `..`, no hidden name, nothing that a file system, a shell or a URL reads in another way. */
const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._:@=+-]{0,199}$/;
const MAX_KEY_LENGTH = 800;
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
      if (!Number.isSafeInteger(offset) || offset < 0)
        throw new BgAgentError('VALIDATION_ERROR', 'offset: must be a whole number of bytes, 0 or more', {
          field: 'offset',
        });
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
      if (!prefix.endsWith('/')) throw invalidKey('a prefix must end in a slash');
      await rm(pathOf(prefix.slice(0, -1)), { recursive: true, force: true });
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

function segmentsOf(key: string): string[] {
  if (key.length > MAX_KEY_LENGTH) throw invalidKey(`at most ${MAX_KEY_LENGTH} characters`);
  const segments = key.split('/');
  if (!segments.every((segment) => SEGMENT.test(segment)))
    throw invalidKey(
      'names of letters, digits and ._:@=+- between slashes, each starting with a letter or digit',
    );
  return segments;
}

const invalidKey = (rule: string): BgAgentError =>
  new BgAgentError('VALIDATION_ERROR', `key: ${rule}`, { field: 'key' });
