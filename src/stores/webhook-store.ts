import { z } from 'zod';
import type { Page } from '../task/page.ts';

/** A webhook as it is stored; the secret that its senders sign with is kept in the secret store, never here. */
export const webhookRecordSchema = z.object({
  webhook_id: z.string(),
  /** Whose tasks its deliveries become. */
  user_id: z.string(),
  name: z.string(),
  created_at: z.string(),
  /** To the minute. */
  last_used_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
export type WebhookRecord = z.infer<typeof webhookRecordSchema>;

/** What a delivery is known by. Times are ISO 8601. */
export interface DeliveryClaim {
  /** The signature that was sent, hex. */
  signature: string;
  /** The idempotency key under which its task is made. */
  key: string;
  /** Now. */
  at: string;
  /** From when on the signature is refused anyway, so that nothing needs to be remembered; null = never. */
  expiresAt: string | null;
}

/** Signed ways in, and what came by them. */
export interface WebhookStore {
  create(record: WebhookRecord): Promise<void>;
  get(webhookId: string): Promise<WebhookRecord | undefined>;
  /** Own webhooks, all users' without `userId`; by webhook id, revoked ones too. */
  list(query: {
    userId?: string | undefined;
    limit: number;
    nextToken?: string | undefined;
  }): Promise<Page<WebhookRecord>>;
  /** False when it was revoked before. Throws WEBHOOK_NOT_FOUND. */
  revoke(webhookId: string, at: string): Promise<boolean>;
  /** Notes the use; cheap to call at each request, since it writes once a minute. */
  touch(webhookId: string, at: string): Promise<void>;

  /**
   * Remembers a delivery by its signature, in one conditional write. The first claim of a signature says under which key its task
   * is made; every later one is told that key and the time of the first, whatever key it brings, until the first expires.
   */
  claimDelivery(
    webhookId: string,
    claim: DeliveryClaim,
  ): Promise<{ first: boolean; key: string; at: string }>;

  /**
   * Removes webhooks that were revoked before `revokedBefore` (ISO 8601) with what is remembered of their deliveries, and
   * deliveries that expired before it; at most `limit` of each. Returns the ids of the webhooks.
   */
  sweep(revokedBefore: string, limit: number): Promise<string[]>;
}
