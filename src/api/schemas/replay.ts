import { z } from '@hono/zod-openapi';
import { eventSchema, taskDetailSchema } from './tasks.ts';

/** Most of a task's history in one bundle. */
export const REPLAY_LIMITS = { events: 5_000, bytes: 5 * 1024 * 1024 } as const;

export const replaySchema = z
  .object({
    task: taskDetailSchema,
    events: z.array(eventSchema),
    /** Null when all events are there; else how many are, and why no more. */
    events_truncation: z
      .object({
        reason: z.enum(['count', 'size']),
        returned: z.number().int(),
        /** The last event that is in the bundle: `after` of the list of events goes on from it. */
        last_event_id: z.string().nullable(),
      })
      .nullable(),
  })
  .openapi('ReplayBundle');
export type ReplayBundle = z.infer<typeof replaySchema>;
