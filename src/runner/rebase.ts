import { GitError, type GitRun, gitFailure } from '../forge/git/git.ts';
import { type CommitIdentity, commitTree } from './commit.ts';
import type { RunFolders } from './folders.ts';
import { type Transfer, transferOptions } from './mirror.ts';

export interface RebaseInput extends Transfer, CommitIdentity {
  folders: RunFolders;
  branch: string;
  /** The work: one commit on `from`, which the branch's head was. */
  commit: string;
  from: string;
}

export type Rebased =
  | { kind: 'rebased'; sha: string; parent: string }
  /** Others made the same changes. */
  | { kind: 'contained' }
  | { kind: 'refused'; reason: string };

/**
 * The work on top of what the branch is now, when the branch only moved forward and no line was changed by both. Needs git 2.38
 * for that; without it, as with a conflict, the two are said not to go together.
 */
export async function rebase(input: RebaseInput): Promise<Rebased> {
  const { git, folders, branch, commit, from } = input;
  const options = { ...(await transferOptions(input)), gitDir: folders.git };
  try {
    const head = await headOf(input, options);
    if (head === null) return { kind: 'refused', reason: `${branch} was deleted meanwhile` };
    const { code } = await git.run(['merge-base', '--is-ancestor', from, head], {
      ...options,
      okCodes: [0, 1],
    });
    if (code === 1) return { kind: 'refused', reason: `the history of ${branch} was rewritten meanwhile` };
    const tree = await mergedTree(input, head, options);
    if (tree === null)
      return { kind: 'refused', reason: `${branch} got other changes of the same lines meanwhile` };
    if (tree === (await git.text(['rev-parse', `${head}^{tree}`], options))) return { kind: 'contained' };
    const message = await git.text(['log', '-1', '--format=%B', commit, '--'], options);
    const sha = await commitTree(input, { tree, parent: head, message, options: { gitDir: folders.git } });
    return { kind: 'rebased', sha, parent: head };
  } catch (error) {
    throw gitFailure(error, 'PUSH_REJECTED', `${branch} moved meanwhile, and could not be followed`);
  }
}

/** The branch's head on the remote, fetched; null when it's gone. */
async function headOf({ git, branch }: RebaseInput, options: GitRun): Promise<string | null> {
  const ref = `refs/heads/${branch}`;
  const [found = ''] = (await git.text(['ls-remote', 'origin', ref], options)).split('\t');
  if (found === '') return null;
  const kept = 'refs/bgagent/moved';
  await git.run(
    ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', 'origin', `+${ref}:${kept}`],
    options,
  );
  return git.text(['rev-parse', kept], options);
}

/** Null when the two don't go together. */
async function mergedTree(
  { git, commit }: RebaseInput,
  head: string,
  options: GitRun,
): Promise<string | null> {
  try {
    const { code, stdout } = await git.run(['merge-tree', '--write-tree', '--no-messages', head, commit], {
      ...options,
      okCodes: [0, 1],
    });
    return code === 0 ? stdout.toString('utf8').trim() : null;
  } catch (error) {
    // An older git knows no such option.
    if (error instanceof GitError && error.kind === 'exit' && error.code === 129) return null;
    throw error;
  }
}
