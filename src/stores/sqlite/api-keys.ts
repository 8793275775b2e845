import { ConditionFailed, type Database } from '../../sqlite/database.ts';
import { BgAgentError } from '../../task/errors.ts';
import { type ApiKeyRecord, type ApiKeyStore, apiKeyRecordSchema } from '../api-key-store.ts';
import { pagePosition, pageToken, toPage } from '../page-token.ts';
import { recordOf, setFields } from './rows.ts';

/** `last_used_at` is written again when it is this old. */
const TOUCH_MS = 60_000;

export function createApiKeyStore({ database }: { database: Database }): ApiKeyStore {
  function read(keyId: string): ApiKeyRecord | undefined {
    const row = database.get('SELECT doc FROM api_keys WHERE key_id = ?', keyId);
    return row && recordOf(apiKeyRecordSchema, row);
  }

  return {
    async create(record) {
      await database.write([
        {
          sql: 'INSERT INTO api_keys (key_id, user_id, doc) VALUES (?, ?, ?)',
          params: [record.key_id, record.user_id, JSON.stringify(record)],
        },
      ]);
    },

    async get(keyId) {
      return read(keyId);
    },

    async list({ userId, limit, nextToken }) {
      const rows = database.all(
        `SELECT doc FROM api_keys WHERE ${userId === undefined ? '' : 'user_id = ? AND'} key_id > ? ORDER BY key_id LIMIT ?`,
        ...(userId === undefined ? [] : [userId]),
        pagePosition('api-keys', nextToken, ''),
        limit + 1,
      );
      const records = rows.map((row) => recordOf(apiKeyRecordSchema, row));
      return toPage(records, limit, (last) => pageToken('api-keys', last.key_id));
    },

    async revoke(keyId, at) {
      const set = setFields({ revoked_at: at });
      try {
        await database.write([
          {
            sql: `UPDATE api_keys SET doc = ${set.sql} WHERE key_id = ? AND doc ->> 'revoked_at' IS NULL`,
            params: [...set.params, keyId],
            expect: 'changed',
          },
        ]);
        return true;
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        if (!read(keyId)) throw new BgAgentError('API_KEY_NOT_FOUND', `no API key ${keyId}`);
        return false;
      }
    },

    async touch(keyId, at) {
      const last = read(keyId)?.last_used_at;
      if (last && Date.parse(at) - Date.parse(last) < TOUCH_MS) return;
      const set = setFields({ last_used_at: at });
      await database.write([
        { sql: `UPDATE api_keys SET doc = ${set.sql} WHERE key_id = ?`, params: [...set.params, keyId] },
      ]);
    },
  };
}
