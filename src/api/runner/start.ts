import { BgAgentError } from '../../task/errors.ts';
import type { StartRequest } from '../../task/protocol.ts';
import type { ApiDeps } from '../deps.ts';
import { type RunnerClaim, requireLive, requireSameAttempt } from './access.ts';

/** Past the deadline the lease serves nobody; a day more keeps a late second process out. */
const MARGIN_MS = 24 * 3_600_000;

/** The lease that says which process runs an attempt. */
export const runnerLease = (taskId: string, attempt: number): string => `runner/${taskId}/${attempt}`;

/**
 * Lets one process begin an attempt: the first to ask holds its lease. A second start of the same process (its answer was
 * lost) is fine. Throws EPOCH_STALE for every other, and past the deadline.
 */
export async function beginAttempt(
  { stores, now }: Pick<ApiDeps, 'stores' | 'now'>,
  claim: RunnerClaim,
  request: StartRequest,
): Promise<void> {
  requireSameAttempt(claim, request);
  requireLive(claim);
  const { task, attempt } = claim;
  const at = now();
  const notAfter = (task.started_at === null ? at : Date.parse(task.started_at)) + task.deadline_s * 1_000;
  if (at > notAfter) throw new BgAgentError('EPOCH_STALE', `task ${task.task_id} is past its deadline`);
  const { acquired } = await stores.leases.acquire(runnerLease(task.task_id, attempt), {
    owner: request.runner_id,
    epoch: attempt,
    ttlMs: notAfter - at + MARGIN_MS,
  });
  if (!acquired)
    throw new BgAgentError('EPOCH_STALE', `another process began attempt ${attempt} of task ${task.task_id}`);
}
