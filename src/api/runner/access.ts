import { BgAgentError } from '../../task/errors.ts';
import { isTerminal } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';
import type { ApiDeps } from '../deps.ts';
import { bearerToken } from '../middleware/bearer.ts';

/** What a runner's request may act on. */
export interface RunnerClaim {
  task: Task;
  attempt: number;
}

/** The task that the bearer token is good for. Throws UNAUTHORIZED for any other token, EPOCH_STALE for an old one's. */
export async function claimOf(
  { stores, taskTokens }: Pick<ApiDeps, 'stores' | 'taskTokens'>,
  taskId: string,
  authorization: string | undefined,
): Promise<RunnerClaim> {
  const token = bearerToken(authorization);
  if (token === undefined)
    throw new BgAgentError('UNAUTHORIZED', 'send the task token as `Authorization: Bearer`');
  const claim = await taskTokens.verify(token);
  if (claim.taskId !== taskId) throw new BgAgentError('UNAUTHORIZED', 'the token belongs to another task');
  const task = await stores.tasks.get(taskId);
  if (!task) throw new BgAgentError('TASK_NOT_FOUND', `no task ${taskId}`);
  if (task.attempt !== claim.attempt)
    throw new BgAgentError(
      'EPOCH_STALE',
      `task ${taskId} is at attempt ${task.attempt}, not ${claim.attempt}`,
    );
  return { task, attempt: claim.attempt };
}

/** Throws TASK_ALREADY_TERMINAL: the runner has nothing left to do. */
export function requireLive({ task }: RunnerClaim): void {
  if (isTerminal(task.status))
    throw new BgAgentError('TASK_ALREADY_TERMINAL', `task ${task.task_id} has ended as ${task.status}`);
}

/** The attempt in the body must be the token's. */
export function requireSameAttempt({ attempt }: RunnerClaim, body: { attempt: number }): void {
  if (body.attempt !== attempt)
    throw new BgAgentError(
      'EPOCH_STALE',
      `the token is for attempt ${attempt}, the message for ${body.attempt}`,
    );
}
