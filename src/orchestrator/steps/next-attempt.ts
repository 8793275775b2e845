import type { Task } from '../../task/task.ts';
import { type Claim, ownTask } from '../claim.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { startAttempt } from '../driver.ts';

/** The task goes on as a new attempt, in the state that it is in, from what the earlier ones pushed. */
export async function startNextAttempt(deps: OrchestratorDeps, task: Task, reason: string): Promise<void> {
  const attempt = task.attempt + 1;
  const next = await deps.stores.tasks.update(
    task.task_id,
    { when: { statuses: [task.status], attempt: task.attempt }, patch: { attempt, prompt_version: null } },
    [{ type: 'task_restarted', metadata: { attempt, reason } }],
  );
  await startAttempt(deps, next);
}

/** As `startNextAttempt`, by the attempt itself, whose place was taken away. Repeating it is harmless. */
export async function handOver(deps: OrchestratorDeps, claim: Claim, reason: string): Promise<void> {
  await startNextAttempt(deps, await ownTask(deps.stores, claim), reason);
}
