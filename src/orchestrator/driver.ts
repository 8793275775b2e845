import { executionName, type Task } from '../task/task.ts';
import type { Claim } from './claim.ts';
import type { OrchestratorDeps } from './dependencies.ts';
import { TASK_WORKFLOW } from './workflow.ts';

/** Starts the execution that drives the task's present attempt. Starting twice is harmless: names are used once. */
export async function startAttempt(
  { runtime }: Pick<OrchestratorDeps, 'runtime'>,
  task: Pick<Task, 'task_id' | 'attempt'>,
): Promise<void> {
  const claim: Claim = { taskId: task.task_id, attempt: task.attempt };
  await runtime.start(TASK_WORKFLOW, claim, { id: executionName(task.task_id, task.attempt) });
}
