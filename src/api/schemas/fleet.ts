import { z } from '@hono/zod-openapi';
import { fleetInstanceSchema } from '../../stores/instance-store.ts';
import { TASK_STATUSES } from '../../task/status.ts';

export const fleetSchema = z
  .object({
    /** Tasks that have a place to run. Those of other users are shown to admins only. */
    sessions: z.array(
      z.object({
        task_id: z.string(),
        repo: z.string(),
        user_id: z.string(),
        status: z.enum(TASK_STATUSES),
        session_id: z.string(),
        compute_type: z.string(),
        instance_type: z.string().nullable(),
        attempt: z.number().int(),
        started_at: z.string().nullable(),
        last_heartbeat_at: z.string().nullable(),
      }),
    ),
    queue: z.object({
      length: z.number().int(),
      oldest_queued_at: z.string().nullable(),
    }),
    capacity: z.object({
      active: z.number().int(),
      max_active_system: z.number().int(),
      max_active_per_user: z.number().int(),
      computes: z.array(z.object({ compute_type: z.string(), max_sessions: z.number().int().nullable() })),
    }),
    /** Machines of the fleet, for admins. */
    instances: z.array(
      z.object({
        instance_id: z.string(),
        /** Instance type and purchase option. */
        pool: z.string(),
        phase: fleetInstanceSchema.shape.phase,
        since: z.string(),
        session_id: z.string().nullable(),
        reason: z.string().nullable(),
      }),
    ),
    leases: z.array(z.object({ name: z.string(), owner: z.string(), expires_at: z.string() })),
  })
  .openapi('Fleet');
export type Fleet = z.infer<typeof fleetSchema>;
