import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { SecretStore } from '../stores/secret-store.ts';
import type { DeliveryClaim, WebhookRecord, WebhookStore } from '../stores/webhook-store.ts';
import { BgAgentError } from '../task/errors.ts';

/** How far the timestamp of a delivery may be off, in milliseconds, either way. */
const WINDOW_MS = 300_000;
const DAY_MS = 86_400_000;

/** Where the secret of a webhook is kept. */
const secretName = (webhookId: string): string => `bgagent/webhook/${webhookId}`;

interface Parts {
  webhooks: WebhookStore;
  secrets: SecretStore;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** Makes a webhook; its secret is returned this once. */
export async function createWebhook(
  { webhooks, secrets, now, newId }: Parts & { newId: () => string },
  { userId, name }: { userId: string; name: string },
): Promise<{ record: WebhookRecord; secret: string }> {
  const record: WebhookRecord = {
    webhook_id: newId(),
    user_id: userId,
    name,
    created_at: new Date(now()).toISOString(),
    last_used_at: null,
    revoked_at: null,
  };
  const secret = `whsec_${randomBytes(32).toString('hex')}`;
  // First the secret: a webhook that is listed can be used.
  await secrets.put(secretName(record.webhook_id), secret);
  try {
    await webhooks.create(record);
  } catch (error) {
    await secrets.delete(secretName(record.webhook_id));
    throw error;
  }
  return { record, secret };
}

/** Ends a webhook at once. Throws WEBHOOK_NOT_FOUND, WEBHOOK_ALREADY_REVOKED. */
export async function revokeWebhook({ webhooks, secrets, now }: Parts, webhookId: string): Promise<string> {
  const at = new Date(now()).toISOString();
  if (!(await webhooks.revoke(webhookId, at)))
    throw new BgAgentError('WEBHOOK_ALREADY_REVOKED', `webhook ${webhookId} was revoked before`);
  await secrets.delete(secretName(webhookId));
  return at;
}

/** What a sender shows with a delivery; the headers as they came. */
export interface SignedDelivery {
  webhookId: string | undefined;
  signature: string | undefined;
  timestamp: string | undefined;
  body: Uint8Array;
}

export interface Sender {
  webhook: WebhookRecord;
  /** The signature, hex in lower case, and when it stops to be good (null = never). */
  signature: string;
  expiresAt: string | null;
}

/**
 * Whose delivery it is. Throws UNAUTHORIZED: in the same words for an unknown webhook and a wrong signature, and of a revoked
 * webhook or an old timestamp only to those who signed rightly.
 */
export async function verifyDelivery(
  { webhooks, secrets, now }: Parts,
  { webhookId = '', signature: header = '', timestamp, body }: SignedDelivery,
): Promise<Sender> {
  const [, hex] = /^sha256=([0-9a-f]{64})$/i.exec(header) ?? [];
  if (hex === undefined)
    throw new BgAgentError(
      'UNAUTHORIZED',
      'X-Webhook-Signature: must be sha256= and 64 hexadecimal digits, the HMAC of the body',
    );
  if (timestamp !== undefined && !/^[0-9]{1,12}$/.test(timestamp))
    throw new BgAgentError('UNAUTHORIZED', 'X-Webhook-Timestamp: must be seconds since 1970');
  const webhook = /^[0-9A-Z]{26}$/.test(webhookId) ? await webhooks.get(webhookId) : undefined;
  const secret = webhook && (await secrets.get(secretName(webhookId)));
  const hmac = createHmac('sha256', secret ?? randomBytes(32));
  if (timestamp !== undefined) hmac.update(`${timestamp}.`);
  const known = timingSafeEqual(hmac.update(body).digest(), Buffer.from(hex, 'hex'));
  if (!webhook || secret === undefined || !known)
    throw new BgAgentError(
      'UNAUTHORIZED',
      'the signature is not of this body by the secret of a webhook that is in use here',
    );
  if (webhook.revoked_at !== null) throw new BgAgentError('UNAUTHORIZED', 'the webhook was revoked');
  const signature = hex.toLowerCase();
  if (timestamp === undefined) return { webhook, signature, expiresAt: null };
  const sentAt = Number(timestamp) * 1_000;
  if (Math.abs(now() - sentAt) > WINDOW_MS)
    throw new BgAgentError(
      'UNAUTHORIZED',
      'X-Webhook-Timestamp: more than five minutes off; sign anew with the present time, and check the clocks',
    );
  // Twice the window, so that it is remembered for longer than it is good, whatever the clock does meanwhile.
  return { webhook, signature, expiresAt: new Date(sentAt + 2 * WINDOW_MS).toISOString() };
}

/**
 * The idempotency key under which the task of a delivery is made: a delivery that comes again has the key that it had the first
 * time, whatever it says now, so it can't start a second task. Throws WEBHOOK_DELIVERY_REPLAYED when the task of then may be gone.
 */
export async function keyOfDelivery(
  { webhooks, now, retentionDays }: Pick<Parts, 'webhooks' | 'now'> & { retentionDays: number },
  { webhook, signature, expiresAt }: Sender,
  wanted: string | undefined,
): Promise<string> {
  const claim: DeliveryClaim = {
    signature,
    key: wanted ?? `webhook:${webhook.webhook_id}:${signature}`,
    at: new Date(now()).toISOString(),
    expiresAt,
  };
  const { first, key, at } = await webhooks.claimDelivery(webhook.webhook_id, claim);
  if (!first && now() - Date.parse(at) >= retentionDays * DAY_MS)
    throw new BgAgentError('WEBHOOK_DELIVERY_REPLAYED', `this very delivery was taken at ${at}`);
  return key;
}
