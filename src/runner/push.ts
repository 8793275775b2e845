import { type Git, GitError, gitFailure } from '../forge/git/git.ts';
import { BgAgentError } from '../task/errors.ts';
import type { RunFolders } from './folders.ts';
import { type Transfer, transferOptions } from './mirror.ts';

export interface PushInput extends Transfer {
  git: Git;
  folders: RunFolders;
  /** The branch to push to. */
  branch: string;
  /** The commit to push. */
  sha: string;
  /** What the branch must point to on the remote; null = there must be no such branch. */
  expected: string | null;
}

/**
 * Pushes the commit to the branch, unless someone else has put another commit there. Pushing twice is harmless. Throws
 * PR_HEAD_MOVED when the branch isn't the task's own and has moved, WORKFLOW_FILES_REFUSED, PUSH_REJECTED.
 */
export async function pushBranch(input: PushInput): Promise<void> {
  const { git, folders, repo, branch, sha, expected } = input;
  const ref = `refs/heads/${branch}`;
  const options = await transferOptions(input);
  const { code, stdout, stderr } = await git
    .run(
      [
        'push',
        '--porcelain',
        '--no-verify',
        `--force-with-lease=${ref}:${expected ?? ''}`,
        'origin',
        `${sha}:${ref}`,
      ],
      {
        ...options,
        config: [...(options.config ?? []), ['push.negotiate', 'true']],
        gitDir: folders.git,
        okCodes: [0, 1],
      },
    )
    .catch((error: unknown) => {
      if (error instanceof GitError && error.kind === 'aborted') throw input.signal.reason;
      throw gitFailure(error, 'PUSH_REJECTED', `the push to ${branch} failed`);
    });
  if (code === 0) return;
  const refused = /^!\t[^\t]*\t(.*)$/m.exec(stdout.toString('utf8'))?.[1];
  const said = /^remote: (.+)$/m.exec(stderr)?.[1]?.trim();
  const hasMoved = refused !== undefined && /stale info|cannot lock ref|failed to update ref/.test(refused);
  if (hasMoved && branch === repo.branch_name && repo.rescue_branch !== null)
    throw new BgAgentError('PR_HEAD_MOVED', `${branch} moved meanwhile`);
  const reason = refused?.includes('stale info')
    ? 'the branch holds a commit that this task did not make'
    : (refused ?? new GitError('exit', 'git push failed', { code, stderr }).reason);
  // GitHub says it in words only.
  if (/without `?workflows?`? (?:permission|scope)/.test(`${refused} ${stderr}`))
    throw new BgAgentError('WORKFLOW_FILES_REFUSED', `the push to ${branch} was refused: ${reason}`);
  throw new BgAgentError(
    'PUSH_REJECTED',
    `the push to ${branch} was refused: ${reason}${said ? ` (${said.slice(0, 300)})` : ''}`,
  );
}
