import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { BgAgentError, messageOf } from '../task/errors.ts';

/**
 * Makes the data folder, for its owner alone (mode 0700), and what is missing above it. Throws VALIDATION_ERROR naming the
 * folder that can't be made.
 */
export async function makeDataFolder(dataDir: string): Promise<void> {
  try {
    await makeFolder(resolve(dataDir));
  } catch (error) {
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `data-dir: ${dataDir} can't be made: ${messageOf(error)}; choose another --data-dir`,
      {
        field: 'data-dir',
        cause: error,
      },
    );
  }
}

/** One level at a time: Node's recursive mkdir never ends below folders that take none, such as /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    await mkdir(folder, { mode: 0o700 });
  }
}
