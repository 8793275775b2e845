import type { Task } from '../task/task.ts';

/** How the API reaches whatever drives tasks. The orchestrator implements it. */
export interface TaskDriver {
  /**
   * Starts the durable execution of the task's present attempt; starting twice is harmless. When it throws, the task stays
   * SUBMITTED and a reconciler starts it.
   */
  start(task: Task): Promise<void>;

  /** Tells the task's workflow to look at the world again. Resolves when the signal is durable. */
  wake(taskId: string): Promise<void>;
}
