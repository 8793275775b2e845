import { BgAgentError } from '../../task/errors.ts';
import type { StartRequest } from '../../task/protocol.ts';
import type { ApiDeps } from '../deps.ts';
import { type RunnerClaim, requireLive, requireSameAttempt } from './access.ts';

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
    // Past the deadline no process may begin anyway.
    ttlMs: Math.max(1, notAfter - at),
  });
  if (!acquired)
    throw new BgAgentError('EPOCH_STALE', `another process began attempt ${attempt} of task ${task.task_id}`);
}
