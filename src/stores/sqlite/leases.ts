import { z } from 'zod';
import type { Row } from '../../sqlite/database.ts';
import type { Lease, LeaseStore } from '../lease-store.ts';
import type { StoreParts } from './event-log.ts';

const rowSchema = z
  .object({ name: z.string(), owner: z.string(), epoch: z.number(), expires_at_ms: z.number() })
  .transform(({ expires_at_ms, ...lease }): Lease => ({ ...lease, expiresAtMs: expires_at_ms }));

const toLease = (row: Row | undefined): Lease => rowSchema.parse(row);

export function createLeaseStore({ database, now }: Omit<StoreParts, 'log'>): LeaseStore {
  return {
    async acquire(name, { owner, epoch, ttlMs }) {
      const at = now();
      const [taken, held] = await database.write([
        {
          sql: `INSERT INTO leases (name, owner, epoch, expires_at_ms) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch, expires_at_ms = excluded.expires_at_ms
                WHERE CASE WHEN owner = excluded.owner THEN epoch <= excluded.epoch ELSE expires_at_ms <= ? END`,
          params: [name, owner, epoch, at + ttlMs, at],
        },
        { sql: 'SELECT * FROM leases WHERE name = ?', params: [name], returns: true },
      ]);
      return { acquired: taken?.changes === 1, lease: toLease(held?.rows[0]) };
    },

    async renew(name, { owner, epoch, ttlMs }) {
      const at = now();
      const [renewed] = await database.write([
        {
          sql: 'UPDATE leases SET expires_at_ms = ? WHERE name = ? AND owner = ? AND epoch = ? AND expires_at_ms > ?',
          params: [at + ttlMs, name, owner, epoch, at],
        },
      ]);
      return renewed?.changes === 1;
    },

    async release(name, { owner, epoch }) {
      const [released] = await database.write([
        {
          sql: 'DELETE FROM leases WHERE name = ? AND owner = ? AND epoch = ?',
          params: [name, owner, epoch],
        },
      ]);
      return released?.changes === 1;
    },

    async get(name) {
      const row = database.get('SELECT * FROM leases WHERE name = ?', name);
      return row && toLease(row);
    },

    async list(prefix) {
      // The greatest character there is: every name that starts with the prefix comes before prefix + it.
      const rows = database.all(
        'SELECT * FROM leases WHERE name >= ? AND name < ? ORDER BY name',
        prefix,
        `${prefix}\u{10ffff}`,
      );
      return rows.map(toLease);
    },
  };
}
