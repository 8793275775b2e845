import { codeOf } from '../task/errors.ts';
import { type Transfer, transferOptions } from './mirror.ts';
import { pushBranch } from './push.ts';
import { rebase } from './rebase.ts';
import type { WorkInput } from './work-input.ts';

/** Where the work of a task ended up on the remote. */
export type Pushed =
  /** `base` is what its changes are counted from. `rebasedOnto`: a commit of others that came meanwhile. */
  | { kind: 'pushed'; branch: string; head: string; base: string; rebasedOnto: string | null }
  /** On a branch of its own, since the pull request's could not take it. */
  | { kind: 'rescued'; branch: string; head: string; base: string; reason: string };

export interface PullRequestPush extends Omit<WorkInput, 'credentials'>, Transfer {
  /** The work as one commit on `startSha`; null when the agent changed nothing. */
  commit: string | null;
  startSha: string;
  /** The work is not finished: it's kept, but not given to the people who share the branch. */
  partial: boolean;
  branch: string;
  rescue: string;
}

/** How often others may get in first before it's given up. */
const TRIES = 3;

/**
 * Puts the work on the branch of a pull request, which other people push to as well: it only ever moves forward. When it has
 * moved meanwhile, the work goes on top of that where the two go together, else it's kept on the rescue branch.
 */
export async function pushToPullRequest(input: PullRequestPush): Promise<Pushed | null> {
  const { git, folders, payload, commit, startSha, branch, rescue, partial, output, phases } = input;
  if (commit === null) return earlierWork(input);
  return phases.run('push', async () => {
    let onto = { sha: commit, parent: startSha };
    let reason = 'the agent did not get to its end';
    for (let tries = 0; !partial && tries < TRIES; tries += 1) {
      const head = onto.sha;
      const moved = await pushBranch({ ...input, branch, sha: head, expected: onto.parent }).then(
        () => false,
        (error: unknown) => {
          if (codeOf(error) === 'PR_HEAD_MOVED') return true;
          throw error;
        },
      );
      if (!moved) {
        const rebased = onto.parent === startSha ? null : onto.parent;
        const base = rebased ?? payload.repo.base_sha;
        return { kind: 'pushed', branch, head, base, rebasedOnto: rebased } as const;
      }
      const next = await rebase({ ...input, commit, from: startSha });
      if (next.kind === 'refused') {
        reason = next.reason;
        break;
      }
      if (next.kind === 'contained') return null;
      output.note(`${branch} moved meanwhile: the work goes on top of ${next.parent.slice(0, 12)}\n`);
      onto = next;
      reason = `${branch} moves faster than the work can follow`;
    }
    await pushBranch({ ...input, branch: rescue, sha: commit, expected: null });
    output.note(`the work is kept on ${rescue}: ${reason}\n`);
    const base = payload.repo.base_sha;
    return {
      kind: 'rescued',
      branch: rescue,
      head: commit,
      base,
      reason: `${reason}; the work is on ${rescue}`,
    };
  });

  /** What an earlier attempt of this task pushed is its work; what others pushed is not. */
  async function earlierWork({ payload: { repo, task_id } }: PullRequestPush): Promise<Pushed | null> {
    const { base_sha: base, resume_sha: head } = repo;
    if (head === null) return null;
    const tasks = await git.text(
      ['log', '--format=%(trailers:key=Task-Id,valueonly,separator=%x20)', `${base}..${head}`, '--'],
      { ...(await transferOptions(input)), gitDir: folders.git },
    );
    const ours = tasks.split(/\s+/).includes(task_id);
    return ours ? { kind: 'pushed', branch, head, base, rebasedOnto: null } : null;
  }
}
