import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gitFailure } from '../forge/git/git.ts';
import type { RunFolders } from './folders.ts';
import { INFO_ATTRIBUTES, type MirrorInput, refreshMirror, transferOptions } from './mirror.ts';

export interface Workspace {
  folders: RunFolders;
  /** The commit that the work tree shows; the parent of what will be committed. */
  startSha: string;
}

/**
 * Makes the work tree: the mirror is brought up to date, the files of the task's commit are written out, and git's own folder
 * is laid out beside the work tree, sharing the mirror's objects.
 */
export async function createWorkspace(input: MirrorInput & { folders: RunFolders }): Promise<Workspace> {
  const { git, folders, repo, note } = input;
  const startSha = repo.resume_sha ?? repo.base_sha;
  const [{ fetched }] = await Promise.all([
    refreshMirror(input),
    layOut(folders, repo.branch_name, startSha),
  ]);
  if (fetched) note(`fetched ${repo.url}\n`);
  try {
    // Out of the mirror itself, so that what a partial mirror lacks is fetched into it once for all runs.
    await git.run(['read-tree', '--reset', '-u', startSha], {
      ...(await transferOptions(input)),
      gitDir: folders.mirror,
      workTree: folders.work,
      cwd: folders.work,
      env: { GIT_INDEX_FILE: join(folders.git, 'index') },
    });
  } catch (error) {
    input.signal.throwIfAborted();
    throw gitFailure(error, 'CLONE_FAILED', `the files of ${startSha.slice(0, 12)} could not be written`);
  }
  await Promise.all([layOutAgentsGit(folders, repo.branch_name, startSha), noteLeftOut(input)]);
  return { folders, startSha };
}

async function layOut(folders: RunFolders, branch: string, sha: string): Promise<void> {
  await mkdir(folders.root, { recursive: true, mode: 0o700 });
  await Promise.all(
    [folders.work, folders.home, folders.tmp, folders.exchange].map((folder) =>
      mkdir(folder, { mode: 0o700 }),
    ),
  );
  await layOutGit(folders.git, { branch, sha, objects: join(folders.mirror, 'objects'), bare: false });
}

/** What `git init` would make, without starting a program for it. */
async function layOutGit(
  folder: string,
  { branch, sha, objects, bare }: { branch: string; sha: string; objects: string; bare: boolean },
): Promise<void> {
  const ref = join(folder, 'refs/heads', branch);
  await Promise.all(
    [join(ref, '..'), join(folder, 'objects/info'), join(folder, 'objects/pack'), join(folder, 'info')].map(
      (path) => mkdir(path, { recursive: true, mode: 0o700 }),
    ),
  );
  await Promise.all([
    writeFile(join(folder, 'HEAD'), `ref: refs/heads/${branch}\n`),
    writeFile(
      join(folder, 'config'),
      `[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = ${bare}\n[gc]\n\tauto = 0\n`,
    ),
    writeFile(join(folder, 'info/attributes'), INFO_ATTRIBUTES),
    writeFile(join(folder, 'objects/info/alternates'), `${objects}\n`),
    writeFile(ref, `${sha}\n`),
  ]);
}

/** A copy for the agent's own `git status`, `log` and `diff`. The runner never reads it and removes it in the end. */
async function layOutAgentsGit(folders: RunFolders, branch: string, sha: string): Promise<void> {
  const folder = join(folders.work, '.git');
  await layOutGit(folder, { branch, sha, objects: join(folders.mirror, 'objects'), bare: false });
  await copyFile(join(folders.git, 'index'), join(folder, 'index'));
}

/** Says what a plain clone would have had and this work tree has not. */
async function noteLeftOut({ git, folders, note }: MirrorInput & { folders: RunFolders }): Promise<void> {
  const staged = await git.text(['ls-files', '--stage', '-z'], {
    gitDir: folders.git,
    workTree: folders.work,
    maxOutputBytes: 256 * 1024 * 1024,
  });
  const submodules = staged
    .split('\0')
    .flatMap((line) => (line.startsWith('160000 ') ? [line.slice(line.indexOf('\t') + 1)] : []));
  if (submodules.length > 0) note(`submodules are not fetched: ${submodules.slice(0, 10).join(', ')}\n`);
}
