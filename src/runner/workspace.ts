import { constants } from 'node:fs';
import { access, copyFile, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type GitRun, gitFailure } from '../forge/git/git.ts';
import { parseRemote } from '../forge/git/remote.ts';
import { messageOf } from '../task/errors.ts';
import type { RunFolders } from './folders.ts';
import { INFO_ATTRIBUTES, type MirrorInput, refreshMirror, transferOptions } from './mirror.ts';

export type WorkspaceInput = MirrorInput & { folders: RunFolders };

export interface Workspace {
  /** The commit that the work tree shows; the parent of what will be committed. */
  startSha: string;
}

/** The empty folders of a run. What an earlier process of the same attempt left is removed. */
export async function layOutFolders(folders: RunFolders): Promise<void> {
  await rm(folders.root, { recursive: true, force: true });
  await mkdir(folders.root, { recursive: true, mode: 0o700 });
  await Promise.all(
    [folders.work, folders.home, folders.tmp, folders.exchange].map((folder) =>
      mkdir(folder, { mode: 0o700 }),
    ),
  );
}

/**
 * Writes the files of the task's commit into the work tree, from the mirror, which is brought up to date when it lacks
 * something. git's own folder is laid out beside the work tree and shares the mirror's objects. Throws CLONE_FAILED.
 */
export async function createWorkspace(input: WorkspaceInput): Promise<Workspace> {
  const { folders, repo, signal } = input;
  const startSha = repo.resume_sha ?? repo.base_sha;
  await layOutGit(folders.git, {
    branch: repo.branch_name,
    sha: startSha,
    objects: join(folders.mirror, 'objects'),
  });
  try {
    // Nearly always everything is there: one program, no question to anyone.
    await checkOut(input, startSha, { signal });
  } catch {
    signal.throwIfAborted();
    await refreshMirror(input);
    await checkOut(input, startSha, await transferOptions(input)).catch((error: unknown) => {
      signal.throwIfAborted();
      throw gitFailure(error, 'CLONE_FAILED', `the files of ${startSha.slice(0, 12)} could not be written`);
    });
  }
  await Promise.all([layOutAgentsGit(folders, repo, startSha), fetchComparison(input), noteLeftOut(input)]);
  return { startSha };
}

/** Out of the mirror itself, so that what a partial mirror lacks is fetched into it once for all runs. */
async function checkOut(
  { git, folders, timeoutMs }: WorkspaceInput,
  sha: string,
  options: GitRun,
): Promise<void> {
  await git.run(['read-tree', '--reset', '-u', sha], {
    timeoutMs,
    ...options,
    gitDir: folders.mirror,
    workTree: folders.work,
    cwd: folders.work,
    env: { GIT_INDEX_FILE: join(folders.git, 'index') },
  });
}

const CONFIG = '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n[gc]\n\tauto = 0\n';

/** What `git init` would make, without starting a program for it. */
async function layOutGit(
  folder: string,
  {
    branch,
    sha,
    objects,
    config = CONFIG,
  }: { branch: string; sha: string; objects: string; config?: string },
): Promise<void> {
  const ref = join(folder, 'refs/heads', branch);
  const needed = [
    join(ref, '..'),
    join(folder, 'objects/info'),
    join(folder, 'objects/pack'),
    join(folder, 'info'),
  ];
  await Promise.all(needed.map((path) => mkdir(path, { recursive: true, mode: 0o700 })));
  await Promise.all([
    writeFile(join(folder, 'HEAD'), `ref: refs/heads/${branch}\n`),
    writeFile(join(folder, 'config'), config),
    writeFile(join(folder, 'info/attributes'), INFO_ATTRIBUTES),
    writeFile(join(folder, 'objects/info/alternates'), `${objects}\n`),
    writeFile(ref, `${sha}\n`),
  ]);
}

/** A copy for the agent's own `git status`, `log`, `diff` and `commit`. The runner never reads it and removes it in the end. */
async function layOutAgentsGit(
  folders: RunFolders,
  { branch_name: branch, compare }: MirrorInput['repo'],
  sha: string,
): Promise<void> {
  const folder = join(folders.work, '.git');
  const config = `${CONFIG}[user]\n\tname = agent\n\temail = agent@bgagent.invalid\n`;
  await layOutGit(folder, { branch, sha, objects: join(folders.mirror, 'objects'), config });
  await copyFile(join(folders.git, 'index'), join(folder, 'index'));
  if (compare === null) return;
  const ref = join(folder, 'refs/remotes/origin', compare.branch);
  await mkdir(join(ref, '..'), { recursive: true, mode: 0o700 });
  await writeFile(ref, `${compare.sha}\n`);
}

/** The agent has no way to the remote: what its `git diff` will need of a partial mirror is fetched before. */
async function fetchComparison(input: WorkspaceInput): Promise<void> {
  const { git, repo, mirror, note, signal } = input;
  if (repo.compare === null || parseRemote(repo.url).kind === 'local') return;
  const head = repo.resume_sha ?? repo.base_sha;
  try {
    const options = { ...(await transferOptions(input)), gitDir: mirror };
    await git.run(
      ['diff', '--no-ext-diff', '--no-textconv', '--numstat', `${repo.compare.sha}...${head}`, '--'],
      options,
    );
  } catch (error) {
    signal.throwIfAborted();
    note(`the changes of the pull request could not be fetched whole: ${messageOf(error)}\n`);
  }
}

/** Says what a plain clone would have had and this work tree has not. */
async function noteLeftOut({ folders, note }: WorkspaceInput): Promise<void> {
  if (await isThere(join(folders.work, '.gitmodules')))
    note('submodules are not fetched: their folders are empty\n');
  if ((await beginning(join(folders.work, '.gitattributes'))).includes('filter=lfs'))
    note('files of Git LFS are not fetched: the work tree has their pointers\n');
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The first part of a regular file of the repository; a link is not followed. */
async function beginning(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
  if (!file) return '';
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(65_536), 0, 65_536, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
