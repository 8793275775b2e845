import { messageOf } from '../task/errors.ts';
import type { OutcomeReport } from '../task/protocol.ts';
import type { AgentPhase } from './agent-phase.ts';
import { commitStaged } from './commit.ts';
import { diffOf } from './diff.ts';
import { transferOptions } from './mirror.ts';
import { fail } from './outcome.ts';
import { pushBranch } from './push.ts';
import { stageWork } from './stage.ts';
import { mirrorInput, type WorkInput } from './work-input.ts';
import type { Workspace } from './workspace.ts';

/** Being stopped must not stop the push of what there is; this does. */
const PUSH_LIMIT_MS = 10 * 60_000;

/** Commits and pushes, however the agent's part ended (O7), and writes down how it did. */
export async function deliver(
  input: WorkInput,
  workspace: Workspace,
  { ending, staged }: Pick<AgentPhase, 'ending' | 'staged'>,
  outcome: OutcomeReport,
): Promise<void> {
  const { stop, output } = input;
  const partial = ending.kind !== 'done';
  if (stop.reason?.kind === 'unwanted') throw stop.signal.reason;
  if (ending.kind === 'failed') fail(outcome, stop, { code: 'AGENT_FAILED', message: ending.message });
  if (ending.kind === 'error') fail(outcome, stop, ending);
  if (stop.reason?.kind === 'quota') {
    output.note('nothing is kept of a workspace that is over its limit\n');
    return;
  }
  if (input.payload.read_only) {
    if (!partial) succeed(outcome, 'no_changes');
    return;
  }
  try {
    const commit = await input.phases.run('commit', async () => {
      if (!staged) await stageWork(input);
      return commitStaged({ ...input, startSha: workspace.startSha, partial });
    });
    const head = await push(input, commit, outcome);
    if (partial) outcome.partial = head !== null;
    else succeed(outcome, head === null ? 'no_changes' : 'changes');
  } catch (error) {
    // The first failure is the one to tell.
    if (!partial) throw error;
    output.note(`what there is could not be kept: ${messageOf(error)}\n`);
  }
}

function succeed(outcome: OutcomeReport, result: 'changes' | 'no_changes'): void {
  outcome.result = result;
  outcome.outcome = result;
  if (result === 'no_changes') outcome.summary ??= 'The agent ended well and changed nothing.';
}

/** The commit that the branch ends with on the remote; null when there is no branch. */
async function push(input: WorkInput, commit: string | null, outcome: OutcomeReport): Promise<string | null> {
  const { payload, phases, git, folders } = input;
  const { resume_sha: expected, base_sha: base, branch_name: branch } = payload.repo;
  const transfer = { ...mirrorInput(input), signal: AbortSignal.timeout(PUSH_LIMIT_MS) };
  if (commit !== null)
    await phases.run('push', () => pushBranch({ ...transfer, git, folders, sha: commit, expected }));
  const head = commit ?? expected;
  if (head === null) return null;
  const diff = await diffOf(git, { ...(await transferOptions(transfer)), gitDir: folders.git }, base, head);
  outcome.branch_name = branch;
  outcome.head_sha = head;
  outcome.diff_stat = diff.stat;
  outcome.diff = diff.text;
  outcome.diff_truncated = diff.truncated;
  return head;
}
