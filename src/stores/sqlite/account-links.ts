import { type AccountLinkStore, accountLinkSchema, linkCodeSchema } from '../account-link-store.ts';
import type { StoreParts } from './event-log.ts';
import { recordOf } from './rows.ts';

export function createAccountLinkStore({ database, now }: Omit<StoreParts, 'log'>): AccountLinkStore {
  return {
    async get(provider, externalId) {
      const row = database.get(
        'SELECT doc FROM account_links WHERE provider = ? AND external_id = ?',
        provider,
        externalId,
      );
      return row && recordOf(accountLinkSchema, row);
    },

    async put(link) {
      await database.write([
        {
          sql: `INSERT INTO account_links (provider, external_id, doc) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET doc = excluded.doc`,
          params: [link.provider, link.external_id, JSON.stringify(link)],
        },
      ]);
    },

    async delete(provider, externalId) {
      const [deleted] = await database.write([
        {
          sql: 'DELETE FROM account_links WHERE provider = ? AND external_id = ?',
          params: [provider, externalId],
        },
      ]);
      return deleted?.changes === 1;
    },

    async list(provider, prefix) {
      // The greatest character there is: every id that starts with the prefix comes before prefix + it.
      return database
        .all(
          'SELECT doc FROM account_links WHERE provider = ? AND external_id >= ? AND external_id < ? ORDER BY external_id',
          provider,
          prefix,
          `${prefix}\u{10ffff}`,
        )
        .map((row) => recordOf(accountLinkSchema, row));
    },

    async putCode(code) {
      await database.write([
        { sql: 'DELETE FROM link_codes WHERE expires_ms <= ?', params: [now()] },
        {
          sql: 'INSERT INTO link_codes (provider, code_hash, expires_ms, doc) VALUES (?, ?, ?, ?)',
          params: [code.provider, code.code_hash, code.expires_at_ms, JSON.stringify(code)],
        },
      ]);
    },

    async takeCode(provider, codeHash) {
      const [taken] = await database.write([
        {
          sql: 'DELETE FROM link_codes WHERE provider = ? AND code_hash = ? AND expires_ms > ? RETURNING doc',
          params: [provider, codeHash, now()],
          returns: true,
        },
      ]);
      const row = taken?.rows[0];
      return row && recordOf(linkCodeSchema, row);
    },
  };
}
