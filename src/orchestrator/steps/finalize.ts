import type { NewEvent } from '../../task/events.ts';
import type { OutcomeReport } from '../../task/protocol.ts';
import type { Task } from '../../task/task.ts';
import { type Claim, ownTask } from '../claim.ts';
import { conclude } from '../conclusions.ts';
import type { StopReason } from '../decisions.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { writeEnd } from './end.ts';

/** Either the task has ended, or its work has to be published first. */
export type Finalized = { kind: 'ended' } | { kind: 'publish'; stop: StopReason | null };

/**
 * RUNNING → FINALIZING → its end, checked on the forge. Safe to repeat from any point in between. An attempt that was
 * stopped without a report goes straight to its end.
 */
export async function finalize(
  deps: OrchestratorDeps,
  claim: Claim,
  stop: StopReason | null,
): Promise<Finalized> {
  const { stores } = deps;
  let task = await ownTask(stores, claim);
  const outcome = await stores.outcomes.get(claim.taskId, claim.attempt);
  if (outcome && task.status === 'RUNNING')
    task = await stores.tasks.transition(
      task.task_id,
      { from: 'RUNNING', to: 'FINALIZING', attempt: claim.attempt, patch: {} },
      [],
    );
  if (outcome && isToPublish(deps, task, outcome)) return { kind: 'publish', stop };
  const remoteHead = await remoteHeadOf(deps, task, outcome);
  await writeEnd(deps, task, conclude(task, outcome, stop, remoteHead), sessionEnded(task, stop));
  return { kind: 'ended' };
}

/** Good work goes to people by way of the forge, where it has pull requests. The rest stays on its branch. */
function isToPublish(deps: OrchestratorDeps, task: Task, { result, review }: OutcomeReport): boolean {
  if (deps.forgeFor(task.repo).collaboration === null) return false;
  const { outcome } = deps.workflows.resolve(task.resolved_workflow.id);
  if (result === 'changes') return outcome !== 'review';
  if (result !== 'no_changes') return false;
  return outcome === 'same_pull_request' || (outcome === 'review' && review !== null);
}

/** What the forge says of the branch that the work is reported to be on. */
export const remoteHeadOf = async (
  deps: OrchestratorDeps,
  task: Task,
  outcome: OutcomeReport | undefined,
): Promise<string | null> =>
  outcome?.result === 'changes' && task.branch_name !== null
    ? deps.forgeFor(task.repo).branchHead(task.repo, task.branch_name)
    : null;

export const sessionEnded = ({ session }: Task, stop: StopReason | null): NewEvent[] =>
  stop !== null && session !== null
    ? [{ type: 'session_ended', metadata: { session_id: session.id, reason: stop } }]
    : [];
