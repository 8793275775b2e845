import { z } from 'zod';
import { taskEventSchema } from '../task/events.ts';
import type { Page } from '../task/page.ts';

/** `pending → claimed → sent | failed | dead`; a retry goes back to pending, a replay from failed or dead does too. */
export const DELIVERY_STATES = ['pending', 'claimed', 'sent', 'failed', 'dead'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** One event for one channel. */
export const deliverySchema = z.object({
  /** `<event id>.<channel>` */
  delivery_id: z.string(),
  channel: z.string(),
  task_id: z.string(),
  /** The event as it was written, so that a delivery needs no second read. */
  event: taskEventSchema,
  /** What channels render: the event's type, or the milestone in it. */
  type: z.string(),
  state: z.enum(DELIVERY_STATES),
  /** Claims so far; the epoch by which a claim that was lost is told from the present one. */
  attempts: z.number().int(),
  /** Attempts that count towards giving up: being told to wait does not. */
  failures: z.number().int(),
  /** Why the last attempt failed, or what is to be said of a success. */
  note: z.string().nullable(),
  /** When it may be claimed (when the claim ends, while claimed); null when it is settled or waits for an earlier one. */
  due_at_ms: z.number().nullable(),
  created_at_ms: z.number(),
  updated_at_ms: z.number(),
});
export type Delivery = z.infer<typeof deliverySchema>;

export type NewDelivery = Pick<Delivery, 'channel' | 'event' | 'type'>;

/** How an attempt ended. `countsAsFailure: false`: told to wait, which never leads to giving up. */
export type DeliveryResult =
  | { kind: 'sent'; note: string | null }
  | { kind: 'failed' | 'dead'; note: string }
  | { kind: 'retry'; dueAtMs: number; note: string; countsAsFailure: boolean };

/**
 * The ledger of deliveries. Those of one task to one channel are claimed one after the other, in the order of their events:
 * the next becomes due when the one before is sent, failed or dead. Times are milliseconds since 1970.
 */
export interface DeliveryStore {
  /** The event up to which this reader has appended; '' before the first. */
  cursor(reader: string): Promise<string>;

  /** Writes new rows (pending) and the reader's cursor together. Rows that are there already are left as they are. */
  append(rows: readonly NewDelivery[], position: { reader: string; cursor: string }): Promise<void>;

  /**
   * Claims at most `limit` due deliveries of the channel, the longest due first: no other caller gets them until `leaseMs`
   * have passed. A claim that ran out is due again.
   */
  claim(query: { channel: string; owner: string; leaseMs: number; limit: number }): Promise<Delivery[]>;

  /** Ends the claim. False when it was lost meanwhile (another attempt holds the delivery, or it is settled). */
  settle(claimed: Pick<Delivery, 'delivery_id' | 'attempts'>, result: DeliveryResult): Promise<boolean>;

  /** When the channel's next delivery is due; null when nothing is. */
  nextDue(channel: string): Promise<number | null>;

  /** Makes claims of other owners due at once. Only for a platform that knows them to be gone. Returns how many. */
  releaseClaims(owner: string): Promise<number>;

  get(deliveryId: string): Promise<Delivery | undefined>;

  /** Newest event first. Throws VALIDATION_ERROR for a `nextToken` that isn't of this list. */
  list(query: {
    state?: DeliveryState | undefined;
    limit: number;
    nextToken?: string | undefined;
  }): Promise<Page<Delivery>>;

  /** Failed or dead → pending, due now, failures forgotten. Throws DELIVERY_NOT_FOUND, DELIVERY_NOT_REPLAYABLE. */
  replay(deliveryId: string): Promise<Delivery>;

  /** Calls back after a write of this process that made something due; returns the way to stop. A hint. */
  subscribe(onDue: () => void): () => void;
}

export const deliveryId = (eventId: string, channel: string): string => `${eventId}.${channel}`;

/** The parts of an id; undefined when it is none. */
export function partsOfDeliveryId(id: string): { eventId: string; channel: string } | undefined {
  const [, eventId, channel] = /^([0-7][0-9A-HJKMNP-TV-Z]{25})\.([a-z][a-z0-9-]{0,49})$/.exec(id) ?? [];
  return eventId !== undefined && channel !== undefined ? { eventId, channel } : undefined;
}
