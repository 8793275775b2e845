import { z } from 'zod';

/**
 * What a channel has posted for a task, one record a slot (`created`, `session`, `terminal`, …): two events that share a slot
 * make one message.
 */
export const postedMessageSchema = z.object({
  task_id: z.string(),
  channel: z.string(),
  slot: z.string(),
  /** The event whose message the slot holds, or is to hold. */
  event_id: z.string(),
  /** Set before a message is sent and cleared when it surely was not: with `ref` null it may be out there. */
  attempted_at_ms: z.number().nullable(),
  /** Where the message is, in the channel's own words; null until that is known. */
  ref: z.record(z.string(), z.string()).nullable(),
  /** The channel has taken the message away again; the slot stays taken. */
  deleted: z.boolean(),
});
export type PostedMessage = z.infer<typeof postedMessageSchema>;

export interface Slot {
  taskId: string;
  channel: string;
  slot: string;
}

export interface MessageStore {
  /** Every slot of the task in this channel, reading what was written last. */
  list(taskId: string, channel: string): Promise<PostedMessage[]>;

  /**
   * Takes the slot for the event if it is free, and notes the attempt (the first one stays noted while it is unresolved).
   * Returns the record as it is now: `event_id` tells whose the slot is.
   */
  claim(slot: Slot, eventId: string, attemptedAtMs: number): Promise<PostedMessage>;

  /** Changes the record while the slot is this event's; false when it isn't. */
  update(
    slot: Slot,
    eventId: string,
    change: Partial<Pick<PostedMessage, 'attempted_at_ms' | 'ref' | 'deleted'>>,
  ): Promise<boolean>;

  /** Frees a slot of this event that holds no message, so that another event may have it. */
  release(slot: Slot, eventId: string): Promise<void>;
}
