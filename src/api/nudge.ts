import { screenTask } from '../policy/screen-task.ts';
import { BgAgentError } from '../task/errors.ts';
import { isTerminal } from '../task/status.ts';
import type { Task } from '../task/task.ts';
import type { Principal } from './api-keys.ts';
import type { ApiDeps } from './deps.ts';
import type { RateLimit } from './rate-limit.ts';

/** Nudges of a task that may wait for their agent at once. */
const MOST_WAITING = 100;

/** Characters of a message in its event. */
const PREVIEW = 200;

/**
 * Keeps what a person has to say to the agent of a task until its runner asks. Throws TASK_ALREADY_TERMINAL, RATE_LIMIT_EXCEEDED,
 * VALIDATION_ERROR when the screen blocks it, DUPLICATE_TASK when the idempotency key was used with another message.
 */
export async function nudgeTask(
  { stores, screen, now, newId }: Pick<ApiDeps, 'stores' | 'screen' | 'now' | 'newId'>,
  allowance: RateLimit,
  principal: Principal,
  task: Task,
  { message, idempotencyKey }: { message: string; idempotencyKey: string | undefined },
): Promise<{ task_id: string; nudge_id: string; submitted_at: string }> {
  const { task_id } = task;
  if (isTerminal(task.status) && idempotencyKey === undefined)
    throw new BgAgentError('TASK_ALREADY_TERMINAL', `task ${task_id} has ended as ${task.status}`);
  allowance.take(task_id);
  await screenTask(screen, message, 'nudge');
  if ((await stores.nudges.waiting(task_id, MOST_WAITING)).length >= MOST_WAITING)
    throw new BgAgentError('RATE_LIMIT_EXCEEDED', `${MOST_WAITING} nudges wait for the agent already`, {
      retryAfterSeconds: 60,
    });
  const nudge_id = newId();
  const { nudge } = await stores.nudges.add(
    {
      nudge_id,
      task_id,
      user_id: principal.userId,
      message,
      submitted_at: new Date(now()).toISOString(),
      idempotency_key: idempotencyKey ?? null,
      settled_at: null,
    },
    [
      {
        type: 'nudge_received',
        metadata: { nudge_id, by: principal.userId, preview: message.slice(0, PREVIEW).toWellFormed() },
      },
    ],
  );
  if (nudge.message !== message)
    throw new BgAgentError('DUPLICATE_TASK', 'the idempotency key was used before, with another message');
  return { task_id, nudge_id: nudge.nudge_id, submitted_at: nudge.submitted_at };
}
