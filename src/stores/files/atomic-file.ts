import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

let written = 0;

/**
 * Writes the whole file or nothing, and returns when it would survive a crash: a new file beside it, flushed, renamed over
 * it. `mode` is that of the file (its folder is made for the owner only). Names that start with a dot are left to this.
 */
export async function writeAtomically(path: string, value: Uint8Array | string, mode: number): Promise<void> {
  await makeFolder(dirname(path));
  written += 1;
  const fresh = join(dirname(path), `.${process.pid}-${written}.tmp`);
  try {
    // A file of that name is left from a process that died with our number.
    await rm(fresh, { force: true });
    const file = await open(fresh, 'wx', mode);
    try {
      await file.writeFile(value);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Makes what is missing of a folder, for its owner only. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  // A new folder is an entry of its parent, which must survive too.
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Flushes names: a new or renamed file is safe only when its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
