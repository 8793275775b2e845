import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Git, type GitRun, gitFailure } from '../forge/git/git.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Payload } from '../task/protocol.ts';
import type { RunFolders } from './folders.ts';
import { SECRET_FORMATS } from './redact.ts';

export interface CommitInput {
  git: Git;
  folders: RunFolders;
  /** The parent. */
  startSha: string;
  payload: Pick<Payload, 'task_id' | 'commit' | 'limits' | 'agent'>;
  /** For a commit that is made before the work was done. */
  partial: boolean;
  now(): number;
  note(text: string): void;
}

/** Bytes of one file; hosts refuse larger ones. */
const MAX_FILE_BYTES = 100 * 1024 * 1024;
/** Bytes of changed text that are looked through for secrets. */
const MAX_SCANNED_BYTES = 32 * 1024 * 1024;

/**
 * Commits what the agent left in the work tree, as one commit on `startSha`. Null when nothing changed. Throws
 * DISK_QUOTA_EXCEEDED for too much of it, SECRET_IN_CHANGES for what looks like a secret.
 */
export async function commitWork(input: CommitInput): Promise<string | null> {
  const { git, folders, startSha } = input;
  const options: GitRun = {
    gitDir: folders.git,
    workTree: folders.work,
    cwd: folders.work,
    timeoutMs: 10 * 60_000,
  };
  await removeGitFolders(folders.work);
  try {
    const { code, stderr } = await git.run(['add', '--all', '--ignore-errors'], {
      ...options,
      okCodes: [0, 1],
    });
    if (code !== 0) input.note(`some files are left out of the commit: ${firstLines(stderr)}\n`);
    const changes = await changesOf(git, options, startSha);
    if (changes.length === 0) return null;
    await checkChanges(input, options, changes);
    const tree = await git.text(['write-tree'], options);
    return await git.text(['commit-tree', tree, '-p', startSha, '-F', '-'], {
      ...options,
      input: commitMessage(input),
      env: identity(input),
    });
  } catch (error) {
    throw gitFailure(error, 'CLONE_FAILED', 'the work could not be committed');
  }
}

interface Change {
  mode: string;
  blob: string;
  path: string;
}

async function changesOf(git: Git, options: GitRun, startSha: string): Promise<Change[]> {
  const { stdout } = await git.run(
    [
      'diff-index',
      '--cached',
      '--raw',
      '--no-renames',
      '--no-abbrev',
      '--ignore-submodules=none',
      '-z',
      startSha,
      '--',
    ],
    {
      ...options,
      maxOutputBytes: 256 * 1024 * 1024,
    },
  );
  const words = stdout.toString('utf8').split('\0');
  const changes: Change[] = [];
  for (let index = 0; index + 1 < words.length; index += 2) {
    const [, mode = '', , blob = ''] = (words[index] ?? '').split(' ');
    changes.push({ mode, blob, path: words[index + 1] ?? '' });
  }
  return changes;
}

async function checkChanges(
  { git, payload, partial, note }: CommitInput,
  options: GitRun,
  changes: readonly Change[],
): Promise<void> {
  if (changes.length > payload.limits.max_files)
    throw new BgAgentError(
      'DISK_QUOTA_EXCEEDED',
      `${changes.length} files are changed; at most ${payload.limits.max_files} are committed`,
    );
  const files = changes.filter(({ mode }) => mode.startsWith('100'));
  const sizes = await sizesOf(git, options, files);
  const tooLarge = files.filter((_, index) => (sizes[index] ?? 0) > MAX_FILE_BYTES);
  if (tooLarge.length > 0)
    throw new BgAgentError(
      'DISK_QUOTA_EXCEEDED',
      `${shown(tooLarge[0]?.path)} is over ${MAX_FILE_BYTES / 1024 / 1024} MB, more than a commit may hold of one file`,
    );
  const found = await secretIn(git, options);
  if (found === undefined) return;
  if (partial) note(`${found}\n`);
  throw new BgAgentError('SECRET_IN_CHANGES', found);
}

async function sizesOf(git: Git, options: GitRun, files: readonly Change[]): Promise<number[]> {
  if (files.length === 0) return [];
  const input = `${files.map(({ blob }) => blob).join('\n')}\n`;
  const { stdout } = await git.run(['cat-file', '--batch-check=%(objectsize)'], {
    ...options,
    input,
    maxOutputBytes: 64 * 1024 * 1024,
  });
  return stdout.toString().trim().split('\n').map(Number);
}

/** Added lines that look like a well-known kind of secret. */
async function secretIn(git: Git, options: GitRun): Promise<string | undefined> {
  let text: string;
  try {
    text = await git.text(
      [
        'diff-index',
        '--cached',
        '-p',
        '--no-ext-diff',
        '--no-textconv',
        '--unified=0',
        '--no-renames',
        'HEAD',
        '--',
      ],
      {
        ...options,
        maxOutputBytes: MAX_SCANNED_BYTES,
      },
    );
  } catch {
    // More than can be looked through in reasonable time.
    return undefined;
  }
  let file = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('+++ ')) file = line.slice(6);
    else if (line.startsWith('+')) {
      const format = SECRET_FORMATS.find(({ pattern }) => pattern.test(line));
      if (format)
        return `${shown(file)} would get what looks like a secret (${format.name}); it is not pushed`;
    }
  }
  return undefined;
}

function commitMessage({ payload: { commit, task_id, agent }, partial }: CommitInput): string {
  const title = partial ? `${commit.title} (unfinished)` : commit.title;
  return `${title}\n\nTask-Id: ${task_id}\nCo-authored-by: ${agent.type} agent <${agent.type.replace(/[^a-z0-9-]/gi, '')}@bgagent.invalid>\n`;
}

function identity({ payload: { commit }, now }: CommitInput): Record<string, string> {
  const date = `${Math.floor(now() / 1_000)} +0000`;
  return {
    GIT_AUTHOR_NAME: commit.author_name,
    GIT_AUTHOR_EMAIL: commit.author_email,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: commit.author_name,
    GIT_COMMITTER_EMAIL: commit.author_email,
    GIT_COMMITTER_DATE: date,
  };
}

/**
 * Removes `.git` at every depth: the throw-away one at the top, and those of repositories that the agent made or cloned,
 * whose files are committed as plain files. Symbolic links are not followed.
 */
async function removeGitFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.name.toLowerCase() === '.git') await rm(path, { recursive: true, force: true });
    else if (entry.isDirectory()) await removeGitFolders(path);
  }
}

const firstLines = (text: string): string => text.split('\n').filter(Boolean).slice(0, 3).join('; ');

/** A path as it may be shown: odd characters escaped, not too long. */
const shown = (path = ''): string =>
  JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path).slice(1, -1);
