import { z } from '@hono/zod-openapi';
import { DELIVERY_STATES } from '../../stores/delivery-store.ts';
import { pageQuery } from './envelope.ts';

export const deliveryDetailSchema = z
  .object({
    delivery_id: z.string(),
    event_id: z.string(),
    task_id: z.string(),
    channel: z.string(),
    /** The event's type, or the milestone in it. */
    type: z.string(),
    state: z.enum(DELIVERY_STATES),
    attempts: z.number().int(),
    /** Attempts that count towards giving up. */
    failures: z.number().int(),
    /** Why the last attempt failed, or what is to be said of a success. */
    note: z.string().nullable(),
    /** When it is tried next; null when it is settled or waits for an earlier one of its task. */
    next_attempt_at: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('Delivery');
export type DeliveryDetail = z.infer<typeof deliveryDetailSchema>;

export const listDeliveriesQuery = pageQuery(20).extend({
  state: z.enum(DELIVERY_STATES, { error: `must be one of ${DELIVERY_STATES.join(', ')}` }).optional(),
});

export const deliveryParams = z.object({
  delivery_id: z.string().max(100).openapi({ example: '01ARZ3NDEKTSV4RRFFQ69G5FAV.slack' }),
});
