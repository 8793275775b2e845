import { appendFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GitRun } from '../forge/git/git.ts';
import { lines } from './git-output.ts';
import type { WorkInput } from './work-input.ts';

export type StageInput = Pick<WorkInput, 'git' | 'folders' | 'output'>;

const LISTS_MAX_BYTES = 256 * 1024 * 1024;
const STAGE_LIMIT_MS = 10 * 60_000;

/** How the runner's own git looks at the work tree. */
export const workTreeOptions = ({ folders }: Pick<WorkInput, 'folders'>): GitRun => ({
  gitDir: folders.git,
  workTree: folders.work,
  cwd: folders.work,
  timeoutMs: STAGE_LIMIT_MS,
  maxOutputBytes: LISTS_MAX_BYTES,
});

/**
 * Takes the work tree as it is into the index: files that were added, changed and removed, without what `.gitignore` names.
 * What can't be read is left out, with a word in the log.
 */
export async function stageWork({ git, folders, output }: StageInput): Promise<void> {
  await removeInnerRepositories(folders.work, true);
  const { code, stderr } = await git.run(['add', '--all', '--ignore-errors'], {
    ...workTreeOptions({ folders }),
    okCodes: [0, 1],
  });
  if (code !== 0) output.note(`some files are left out of the commit: ${firstLines(stderr)}\n`);
}

/** Whether what is staged differs from the commit that the work began at. */
export async function hasStagedWork({
  git,
  folders,
  payload,
}: StageInput & Pick<WorkInput, 'payload'>): Promise<boolean> {
  const start = payload.repo.resume_sha ?? payload.repo.base_sha;
  const { code } = await git.run(
    ['diff-index', '--cached', '--quiet', '--ignore-submodules=none', start, '--'],
    {
      ...workTreeOptions({ folders }),
      okCodes: [0, 1],
    },
  );
  return code === 1;
}

/** What lies beside the staged files is what commands have left behind, and no work of the agent: ignored from here on. */
export async function setArtifactsAside({ git, folders }: StageInput): Promise<void> {
  const { stdout } = await git.run(
    ['ls-files', '--others', '--exclude-standard', '--directory', '--no-empty-directory', '-z'],
    workTreeOptions({ folders }),
  );
  const patterns = lines(stdout, '\0').flatMap((path) =>
    path.includes('\n') ? [] : [`/${escapePattern(path)}`],
  );
  await appendFile(join(folders.git, 'info/exclude'), `${patterns.join('\n')}\n`);
}

/**
 * Removes `.git` of repositories that the agent made or cloned into the work tree, whose files are then plain files, and
 * folders that only a file system without cases would take for one. Symbolic links are not followed.
 */
async function removeInnerRepositories(folder: string, isTop: boolean): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    // git never looks at the one at the top: it's told another.
    if (isTop && entry.name === '.git') continue;
    if (entry.name.toLowerCase() === '.git') await rm(path, { recursive: true, force: true });
    else if (entry.isDirectory()) await removeInnerRepositories(path, false);
  }
}

const escapePattern = (path: string): string => path.replace(/[\\*?[\]!#]|\s(?=\/?$)/g, '\\$&');

const firstLines = (text: string): string => lines(text, '\n').slice(0, 3).join('; ');
