import type { NewEvent } from '../task/events.ts';
import type { OutcomeReport } from '../task/protocol.ts';

/** How attempts ended, as their runners reported. */
export interface OutcomeStore {
  /**
   * The first report of an attempt counts, and writes `events` with it; a later one is accepted, not kept, and writes none.
   * A first report throws TASK_NOT_FOUND, EPOCH_STALE (not the current attempt) or TASK_ALREADY_TERMINAL.
   */
  put(
    taskId: string,
    attempt: number,
    outcome: OutcomeReport,
    events?: NewEvent[],
  ): Promise<{ first: boolean }>;
  get(taskId: string, attempt: number): Promise<OutcomeReport | undefined>;
}
