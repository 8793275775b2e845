import type { Database, Row } from '../../sqlite/database.ts';
import { type MessageStore, type PostedMessage, postedMessageSchema } from '../message-store.ts';

export function createMessageStore({ database }: { database: Database }): MessageStore {
  return {
    async list(taskId, channel) {
      return database
        .all('SELECT * FROM messages WHERE task_id = ? AND channel = ? ORDER BY slot', taskId, channel)
        .map(toMessage);
    },

    async claim({ taskId, channel, slot }, eventId, attemptedAtMs) {
      const [, present] = await database.write([
        {
          sql: `INSERT INTO messages (task_id, channel, slot, event_id, attempted_at_ms, deleted) VALUES (?, ?, ?, ?, ?, 0)
                ON CONFLICT DO UPDATE SET attempted_at_ms = excluded.attempted_at_ms
                WHERE event_id = excluded.event_id AND attempted_at_ms IS NULL`,
          params: [taskId, channel, slot, eventId, attemptedAtMs],
        },
        {
          sql: 'SELECT * FROM messages WHERE task_id = ? AND channel = ? AND slot = ?',
          params: [taskId, channel, slot],
          returns: true,
        },
      ]);
      return toMessage(present?.rows[0] ?? {});
    },

    async update({ taskId, channel, slot }, eventId, change) {
      const fields = {
        ...('attempted_at_ms' in change ? { attempted_at_ms: change.attempted_at_ms ?? null } : {}),
        ...('ref' in change ? { ref: change.ref ? JSON.stringify(change.ref) : null } : {}),
        ...('deleted' in change ? { deleted: change.deleted ? 1 : 0 } : {}),
      };
      const names = Object.keys(fields);
      if (names.length === 0) return true;
      const [updated] = await database.write([
        {
          sql: `UPDATE messages SET ${names.map((name) => `${name} = ?`).join(', ')}
                WHERE task_id = ? AND channel = ? AND slot = ? AND event_id = ?`,
          params: [...Object.values(fields), taskId, channel, slot, eventId],
        },
      ]);
      return updated?.changes === 1;
    },

    async release({ taskId, channel, slot }, eventId) {
      await database.write([
        {
          sql: 'DELETE FROM messages WHERE task_id = ? AND channel = ? AND slot = ? AND event_id = ? AND ref IS NULL',
          params: [taskId, channel, slot, eventId],
        },
      ]);
    },
  };
}

const toMessage = (row: Row): PostedMessage =>
  postedMessageSchema.parse({
    ...row,
    ref: row.ref === null ? null : JSON.parse(String(row.ref)),
    deleted: row.deleted === 1,
  });
