import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BgAgentError, messageOf } from '../task/errors.ts';

/** What the demo works on: a bare repository of its own, so that nothing of the person's is touched. */
export interface DemoTarget {
  repo: string;
  /** What it was made from, for people. */
  origin: string;
}

const run = promisify(execFile);

/** A bare clone of this very repository below `folder`, or of a small generated one where there is none (a package). */
export async function createDemoTarget(folder: string, signal: AbortSignal): Promise<DemoTarget> {
  await mkdir(folder, { recursive: true });
  const clone = findClone(dirname(fileURLToPath(import.meta.url)));
  if (clone !== undefined) {
    const repo = join(folder, 'bgagent.git');
    await git(['clone', '--quiet', '--bare', '--no-hardlinks', clone, repo], { signal });
    return { repo, origin: 'a bare clone of this repository' };
  }
  return { repo: await generateRepository(folder, signal), origin: 'a small generated repository' };
}

/** The clone of bgagent that this file lies in, when it has at least one commit. */
function findClone(folder: string): string | undefined {
  const manifest = join(folder, 'package.json');
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'bgagent') {
    return existsSync(join(folder, '.git')) ? folder : undefined;
  }
  const above = dirname(folder);
  return above === folder ? undefined : findClone(above);
}

const GENERATED_COMMITS = [
  { author: 'octo', file: 'README.md', text: '# hello\n\nSays hello.\n', message: 'Say what this is' },
  { author: 'octo', file: 'hello.sh', text: '#!/bin/sh\necho hello\n', message: 'Say hello' },
  { author: 'hello-bot', file: 'LICENSE', text: 'Public domain.\n', message: 'Add a licence' },
];

async function generateRepository(folder: string, signal: AbortSignal): Promise<string> {
  const work = join(folder, 'hello');
  const repo = join(folder, 'hello.git');
  await git(['init', '--quiet', '--initial-branch=main', work], { signal });
  for (const { author, file, text, message } of GENERATED_COMMITS) {
    await writeFile(join(work, file), text);
    await git(['-C', work, 'add', file], { signal });
    const identity = ['-c', `user.name=${author}`, '-c', `user.email=${author}@example.com`];
    await git(
      [
        '-C',
        work,
        ...identity,
        '-c',
        'core.hooksPath=/dev/null',
        'commit',
        '--quiet',
        '--no-gpg-sign',
        '--message',
        message,
      ],
      { signal },
    );
  }
  await git(['clone', '--quiet', '--bare', work, repo], { signal });
  return repo;
}

async function git(args: readonly string[], options: { signal: AbortSignal }): Promise<string> {
  try {
    const { stdout } = await run('git', args, { ...options, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    if (options.signal.aborted) throw error;
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new BgAgentError(
      'REPO_UNREACHABLE',
      missing
        ? 'git is not installed'
        : `git ${args.find((arg) => !arg.startsWith('-'))}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
