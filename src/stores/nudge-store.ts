import { z } from 'zod';
import type { NewEvent } from '../task/events.ts';

/** What a person says to an agent at work. */
export const nudgeRecordSchema = z.object({
  /** A ULID: nudges are delivered in the order of their ids. */
  nudge_id: z.string(),
  task_id: z.string(),
  /** Who said it. */
  user_id: z.string(),
  message: z.string(),
  submitted_at: z.string(),
  /** Of the request; null without one. */
  idempotency_key: z.string().nullable(),
  /** When a runner handed it to the agent, or said that it can't; null while it waits. */
  settled_at: z.string().nullable(),
});
export type NudgeRecord = z.infer<typeof nudgeRecordSchema>;

/** Nudges on their way to the agents. They go with their task (`TaskStore.sweep`). */
export interface NudgeStore {
  /**
   * Writes the nudge and `events` in one transaction. With an idempotency key that this user used before for this task, nothing is
   * written and the nudge of then is returned, also after the task's end. Throws TASK_NOT_FOUND, TASK_ALREADY_TERMINAL.
   */
  add(nudge: NudgeRecord, events: NewEvent[]): Promise<{ nudge: NudgeRecord; created: boolean }>;
  /** Those of the task that are not settled, oldest first, whatever attempt they were submitted in. */
  waiting(taskId: string, limit: number): Promise<NudgeRecord[]>;
  /** Takes nudges out of the queue for good. Settling twice keeps the first time; ids that are none of the task's are passed over. */
  settle(taskId: string, nudgeIds: readonly string[], at: string): Promise<void>;
}
