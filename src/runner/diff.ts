import type { Git, GitRun } from '../forge/git/git.ts';

/** Numbers and text of the whole branch against its base. */
export interface Diff {
  stat: { files_changed: number; insertions: number; deletions: number };
  text: string;
  truncated: boolean;
}

const MAX_DIFF_BYTES = 1024 * 1024;

export async function diffOf(git: Git, options: GitRun, base: string, head: string): Promise<Diff> {
  const common = ['--no-ext-diff', '--no-textconv', '--no-renames', '--ignore-submodules=none'];
  const [numbers, patch] = await Promise.all([
    git.text(['diff-tree', '-r', '--numstat', '-z', ...common, base, head, '--'], {
      ...options,
      maxOutputBytes: 256 * 1024 * 1024,
    }),
    git.run(['diff-tree', '-r', '-p', ...common, base, head, '--'], {
      ...options,
      maxOutputBytes: MAX_DIFF_BYTES,
      truncate: true,
    }),
  ]);
  const diffStat = { files_changed: 0, insertions: 0, deletions: 0 };
  for (const line of numbers.split('\0')) {
    const [added, removed] = line.split('\t');
    if (removed === undefined) continue;
    diffStat.files_changed += 1;
    // Binary files have dashes.
    diffStat.insertions += Number(added) || 0;
    diffStat.deletions += Number(removed) || 0;
  }
  const truncated = patch.truncated;
  const text = patch.stdout.toString('utf8');
  return { stat: diffStat, text: truncated ? text.slice(0, text.lastIndexOf('\n') + 1) : text, truncated };
}
