import { ConditionFailed, type Database } from '../../sqlite/database.ts';
import { BgAgentError } from '../../task/errors.ts';
import { pagePosition, pageToken, toPage } from '../page-token.ts';
import { type WebhookRecord, type WebhookStore, webhookRecordSchema } from '../webhook-store.ts';
import { recordOf, setFields } from './rows.ts';

/** `last_used_at` is written again when it is this old. */
const TOUCH_MS = 60_000;

export function createWebhookStore({ database }: { database: Database }): WebhookStore {
  function read(webhookId: string): WebhookRecord | undefined {
    const row = database.get('SELECT doc FROM webhooks WHERE webhook_id = ?', webhookId);
    return row && recordOf(webhookRecordSchema, row);
  }

  return {
    async create(record) {
      await database.write([
        {
          sql: 'INSERT INTO webhooks (webhook_id, user_id, doc) VALUES (?, ?, ?)',
          params: [record.webhook_id, record.user_id, JSON.stringify(record)],
        },
      ]);
    },

    async get(webhookId) {
      return read(webhookId);
    },

    async list({ userId, limit, nextToken }) {
      const rows = database.all(
        `SELECT doc FROM webhooks WHERE ${userId === undefined ? '' : 'user_id = ? AND'} webhook_id > ? ORDER BY webhook_id LIMIT ?`,
        ...(userId === undefined ? [] : [userId]),
        pagePosition('webhooks', nextToken, ''),
        limit + 1,
      );
      const records = rows.map((row) => recordOf(webhookRecordSchema, row));
      return toPage(records, limit, (last) => pageToken('webhooks', last.webhook_id));
    },

    async revoke(webhookId, at) {
      const set = setFields({ revoked_at: at });
      try {
        await database.write([
          {
            sql: `UPDATE webhooks SET doc = ${set.sql}, revoked_at = ? WHERE webhook_id = ? AND revoked_at IS NULL`,
            params: [...set.params, at, webhookId],
            expect: 'changed',
          },
        ]);
        return true;
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        if (!read(webhookId)) throw new BgAgentError('WEBHOOK_NOT_FOUND', `no webhook ${webhookId}`);
        return false;
      }
    },

    async touch(webhookId, at) {
      const last = read(webhookId)?.last_used_at;
      if (last && Date.parse(at) - Date.parse(last) < TOUCH_MS) return;
      const set = setFields({ last_used_at: at });
      await database.write([
        {
          sql: `UPDATE webhooks SET doc = ${set.sql} WHERE webhook_id = ?`,
          params: [...set.params, webhookId],
        },
      ]);
    },

    async claimDelivery(webhookId, { signature, key, at, expiresAt }) {
      const [claimed, kept] = await database.write([
        {
          sql: `INSERT INTO webhook_deliveries (webhook_id, signature, key, at, expires_at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET key = excluded.key, at = excluded.at, expires_at = excluded.expires_at
                WHERE webhook_deliveries.expires_at <= excluded.at`,
          params: [webhookId, signature, key, at, expiresAt],
        },
        {
          sql: 'SELECT key, at FROM webhook_deliveries WHERE webhook_id = ? AND signature = ?',
          params: [webhookId, signature],
          returns: true,
        },
      ]);
      const row = kept?.rows[0];
      return { first: claimed?.changes === 1, key: String(row?.key), at: String(row?.at) };
    },

    async sweep(revokedBefore, limit) {
      const due = database.all(
        'SELECT webhook_id FROM webhooks WHERE revoked_at < ? LIMIT ?',
        revokedBefore,
        limit,
      );
      const ids = due.map(({ webhook_id }) => String(webhook_id));
      await database.write([
        {
          sql: `DELETE FROM webhook_deliveries WHERE (webhook_id, signature) IN
                (SELECT webhook_id, signature FROM webhook_deliveries WHERE expires_at < ? LIMIT ?)`,
          params: [revokedBefore, limit],
        },
        ...ids.flatMap((id) =>
          ['webhook_deliveries', 'webhooks'].map((table) => ({
            sql: `DELETE FROM ${table} WHERE webhook_id = ?`,
            params: [id],
          })),
        ),
      ]);
      return ids;
    },
  };
}
