import { messageOf } from '../task/errors.ts';
import type { OutcomeReport } from '../task/protocol.ts';
import type { AgentPhase } from './agent-phase.ts';
import { commitStaged } from './commit.ts';
import { diffOf } from './diff.ts';
import { type Exchange, readReview } from './exchange.ts';
import { type Transfer, transferOptions } from './mirror.ts';
import { fail } from './outcome.ts';
import { pushBranch } from './push.ts';
import { type Pushed, pushToPullRequest } from './push-to-pull-request.ts';
import { reviewOf } from './review.ts';
import { stageWork } from './stage.ts';
import { mirrorInput, type WorkInput } from './work-input.ts';
import type { Workspace } from './workspace.ts';

/** Being stopped must not stop the push of what there is; this does. */
const PUSH_LIMIT_MS = 10 * 60_000;

/** Where the work is, and what the agent left beside it. */
export interface Delivery {
  workspace: Workspace;
  exchange: Exchange;
}

/** Commits and pushes, however the agent's part ended (O7), and writes down how it did. */
export async function deliver(
  input: WorkInput,
  { workspace, exchange }: Delivery,
  { ending, staged }: Pick<AgentPhase, 'ending' | 'staged'>,
  outcome: OutcomeReport,
): Promise<void> {
  const { stop, output } = input;
  const partial = ending.kind !== 'done';
  if (stop.reason?.kind === 'unwanted') throw stop.signal.reason;
  if (ending.kind === 'failed') fail(outcome, stop, { code: 'AGENT_FAILED', message: ending.message });
  if (ending.kind === 'error') fail(outcome, stop, ending);
  if (input.payload.read_only) {
    if (!partial) await deliverReview(input, exchange, outcome);
    return;
  }
  if (stop.reason?.kind === 'quota') {
    output.note('nothing is kept of a workspace that is over its limit\n');
    return;
  }
  try {
    const commit = await input.phases.run('commit', async () => {
      if (!staged) await stageWork(input);
      const { summary } = outcome;
      return commitStaged({ ...input, startSha: workspace.startSha, partial, summary });
    });
    const transfer = transferOf(input);
    const pushed = await push(input, { transfer, commit, partial, startSha: workspace.startSha }).catch(
      async (error: unknown) => {
        if (commit !== null) await keepDiff(input, { commit, transfer }, outcome);
        throw error;
      },
    );
    if (pushed) await describe(input, { pushed, transfer }, outcome);
    if (partial) outcome.partial = pushed !== null;
    else if (pushed?.kind === 'rescued') {
      fail(outcome, stop, { code: 'PR_HEAD_MOVED', message: pushed.reason });
      outcome.partial = true;
    } else succeed(outcome, pushed === null ? 'no_changes' : 'changes');
  } catch (error) {
    // The first failure is the one to tell.
    if (!partial) throw error;
    output.note(`what there is could not be kept: ${messageOf(error)}\n`);
  }
}

/** Nothing of a read-only workflow leaves but what the agent says. */
async function deliverReview(input: WorkInput, exchange: Exchange, outcome: OutcomeReport): Promise<void> {
  const { review, fault } = reviewOf(await readReview(exchange), outcome.summary);
  if (fault !== null) input.output.note(`${fault}\n`);
  if (review === null)
    return fail(outcome, input.stop, {
      code: 'REVIEW_MISSING',
      message: fault ?? 'the agent wrote no review and said nothing either',
    });
  outcome.review = review;
  outcome.result = 'no_changes';
  outcome.outcome = 'review';
}

function succeed(outcome: OutcomeReport, result: 'changes' | 'no_changes'): void {
  outcome.result = result;
  outcome.outcome = result;
  if (result === 'no_changes') outcome.summary ??= 'The agent ended well and changed nothing.';
}

/** Where the work is on the remote; null when there is none. */
async function push(
  input: WorkInput,
  {
    transfer,
    commit,
    partial,
    startSha,
  }: { transfer: Transfer; commit: string | null; partial: boolean; startSha: string },
): Promise<Pushed | null> {
  const { payload, phases, git, folders } = input;
  const { resume_sha: resumed, base_sha: base, branch_name: branch, rescue_branch: rescue } = payload.repo;
  if (rescue !== null)
    return pushToPullRequest({ ...input, ...transfer, commit, partial, startSha, rescue, branch });
  if (commit !== null)
    await phases.run('push', () =>
      pushBranch({ ...transfer, git, folders, branch, sha: commit, expected: resumed }),
    );
  const head = commit ?? resumed;
  return head === null ? null : { kind: 'pushed', branch, head, base, rebasedOnto: null };
}

/** Writes down what the branch holds now. */
async function describe(
  { git, folders }: WorkInput,
  { pushed, transfer }: { pushed: Pushed; transfer: Transfer },
  outcome: OutcomeReport,
): Promise<void> {
  const options = { ...(await transferOptions(transfer)), gitDir: folders.git };
  const diff = await diffOf(git, options, pushed.base, pushed.head);
  outcome.branch_name = pushed.branch;
  outcome.head_sha = pushed.head;
  outcome.rebased_onto = pushed.kind === 'pushed' ? pushed.rebasedOnto : null;
  outcome.diff_stat = diff.stat;
  outcome.diff = diff.text;
  outcome.diff_truncated = diff.truncated;
}

/** What can't be pushed is not lost: people get it as a diff. */
async function keepDiff(
  { git, folders, payload, output }: WorkInput,
  { commit, transfer }: { commit: string; transfer: Transfer },
  outcome: OutcomeReport,
): Promise<void> {
  try {
    const options = { ...(await transferOptions(transfer)), gitDir: folders.git };
    const diff = await diffOf(git, options, payload.repo.base_sha, commit);
    outcome.diff = diff.text;
    outcome.diff_stat = diff.stat;
    outcome.diff_truncated = diff.truncated;
  } catch (error) {
    output.note(`the diff could not be kept: ${messageOf(error)}\n`);
  }
}

/** With fresh credentials: since the clone, hours ago perhaps, the token may have been replaced. */
function transferOf(input: WorkInput): Transfer {
  let asked: ReturnType<WorkInput['credentials']> | undefined;
  const credentials = (): ReturnType<WorkInput['credentials']> => {
    asked ??= input.credentials(true);
    return asked;
  };
  return { ...mirrorInput(input), credentials, signal: AbortSignal.timeout(PUSH_LIMIT_MS) };
}
