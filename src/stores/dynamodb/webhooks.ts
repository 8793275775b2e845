import { BgAgentError } from '../../task/errors.ts';
import { type WebhookRecord, type WebhookStore, webhookRecordSchema } from '../webhook-store.ts';
import { ConditionFailed } from './dynamo.ts';
import { createExpression } from './expression.ts';
import { createOwnedRecords } from './owned-records.ts';
import { expiry, type StoreParts, stateKey } from './parts.ts';
import { text, textOf, toItem } from './values.ts';

const deliveries = (webhookId: string): string => `webhook-delivery#${webhookId}`;
/** Webhooks looked at in one go when old ones are removed. */
const BATCH = 100;

export function createWebhookStore({ dynamo }: Pick<StoreParts, 'dynamo'>): WebhookStore {
  const { remove, ...records } = createOwnedRecords({
    dynamo,
    kind: 'webhooks',
    schema: webhookRecordSchema,
    idOf: ({ webhook_id }) => webhook_id,
    notFound: (id) => new BgAgentError('WEBHOOK_NOT_FOUND', `no webhook ${id}`),
  });

  return {
    ...records,

    async claimDelivery(webhookId, { signature, key, at, expiresAt }) {
      const place = stateKey(deliveries(webhookId), signature);
      for (;;) {
        const { name, value, parts } = createExpression();
        const over = `${name('expires_at')} <= ${value(text(at))}`;
        try {
          await dynamo.put('state', {
            Item: {
              ...place,
              ...toItem({ key, at, expires_at: expiresAt }),
              ...(expiresAt !== null && expiry(Date.parse(expiresAt))),
            },
            ConditionExpression: `attribute_not_exists(pk) OR ${over}`,
            ...parts(),
          });
          return { first: true, key, at };
        } catch (error) {
          if (!(error instanceof ConditionFailed)) throw error;
          const kept = error.item ?? (await dynamo.get('state', place));
          const [first, since] = [textOf(kept, 'key'), textOf(kept, 'at')];
          if (first !== undefined && since !== undefined) return { first: false, key: first, at: since };
          // Removed between the two looks: it is the first again.
        }
      }
    },

    async sweep(revokedBefore, limit) {
      const due: WebhookRecord[] = [];
      for (let nextToken: string | undefined; due.length < limit; ) {
        const page = await records.list({ limit: BATCH, nextToken });
        due.push(...page.items.filter(({ revoked_at }) => revoked_at !== null && revoked_at < revokedBefore));
        if (page.nextToken === null) break;
        nextToken = page.nextToken;
      }
      for (const webhook of due.slice(0, limit)) {
        // What has expired of the others' deliveries is removed by DynamoDB itself.
        const partition = deliveries(webhook.webhook_id);
        const items = await dynamo.query({ table: 'state', partition });
        await dynamo.removeMany(
          'state',
          items.map((item) => stateKey(partition, textOf(item, 'sk'))),
        );
        await remove(webhook);
      }
      return due.slice(0, limit).map(({ webhook_id }) => webhook_id);
    },
  };
}
