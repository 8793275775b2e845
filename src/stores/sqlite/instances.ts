import { z } from 'zod';
import { ConditionFailed, type Database, type Statement } from '../../sqlite/database.ts';
import {
  type FleetSession,
  fleetInstanceSchema,
  fleetSessionSchema,
  type InstanceStore,
} from '../instance-store.ts';
import { places, recordOf, setFields } from './rows.ts';

export { instanceMigrations } from './instance-schema.ts';

const wishSchema = z
  .object({ session_id: z.string(), fleet: z.string(), pool: z.string(), until_ms: z.number() })
  .transform(({ session_id, until_ms, ...wish }) => ({ ...wish, sessionId: session_id, untilMs: until_ms }));

/** Over a database that was opened with `instanceMigrations`. `now`: milliseconds since 1970. */
export function createInstanceStore({ database, now }: { database: Database; now(): number }): InstanceStore {
  /** Whether the write took place, by its first statement's condition. */
  const changes = async (statement: Statement): Promise<boolean> =>
    ((await database.write([statement]))[0]?.changes ?? 0) > 0;
  const session = async (sessionId: string): Promise<FleetSession | undefined> => {
    const row = database.get('SELECT doc FROM fleet_sessions WHERE session_id = ?', sessionId);
    return row && recordOf(fleetSessionSchema, row);
  };

  return {
    add: (instance) =>
      changes({
        sql: `INSERT INTO fleet_instances (instance_id, fleet, pool, phase, session_id, doc)
              VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
        params: [
          instance.instanceId,
          instance.fleet,
          instance.pool,
          instance.phase,
          instance.sessionId,
          JSON.stringify(instance),
        ],
      }),

    async get(instanceId) {
      const row = database.get('SELECT doc FROM fleet_instances WHERE instance_id = ?', instanceId);
      return row && recordOf(fleetInstanceSchema, row);
    },

    async list(fleet) {
      const rows = database.all(
        'SELECT doc FROM fleet_instances WHERE fleet = ? ORDER BY instance_id',
        fleet,
      );
      return rows.map((row) => recordOf(fleetInstanceSchema, row));
    },

    async idle(fleet, pool) {
      const rows = database.all(
        "SELECT instance_id FROM fleet_instances WHERE fleet = ? AND pool = ? AND phase = 'idle'",
        fleet,
        pool,
      );
      return rows.map(({ instance_id }) => String(instance_id));
    },

    move(instanceId, { from, to, patch = {} }) {
      const doc = setFields({ sinceMs: now(), ...patch, phase: to });
      return changes({
        sql: `UPDATE fleet_instances SET phase = ?, doc = ${doc.sql}
              WHERE instance_id = ? AND phase IN (${places(from)})`,
        params: [to, ...doc.params, instanceId, ...from],
      });
    },

    remove: (instanceId) =>
      changes({
        sql: "DELETE FROM fleet_instances WHERE instance_id = ? AND phase != 'busy'",
        params: [instanceId],
      }),

    async claim(claimed) {
      const { sessionId, instanceId, fleet } = claimed;
      const doc = setFields({ phase: 'busy', sessionId, sinceMs: now(), reason: null });
      try {
        await database.write([
          {
            sql: `INSERT INTO fleet_sessions (session_id, fleet, doc) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
            params: [sessionId, fleet, JSON.stringify(claimed)],
            expect: 'changed',
          },
          {
            sql: `UPDATE fleet_instances SET phase = 'busy', session_id = ?, doc = ${doc.sql}
                  WHERE instance_id = ? AND fleet = ? AND phase = 'idle'`,
            params: [sessionId, ...doc.params, instanceId, fleet],
            expect: 'changed',
          },
          { sql: 'DELETE FROM fleet_wishes WHERE session_id = ?', params: [sessionId] },
        ]);
        return 'claimed';
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        return error.index === 0 ? 'known' : 'taken';
      }
    },

    async release(sessionId, to) {
      const doc = setFields({ phase: to, sessionId: null, sinceMs: now() });
      const [freed] = await database.write([
        {
          sql: `UPDATE fleet_instances SET phase = ?, session_id = NULL,
                  doc = json_set(${doc.sql}, '$.sessionsRun', doc ->> 'sessionsRun' + 1)
                WHERE session_id = ?`,
          params: [to, ...doc.params, sessionId],
        },
        {
          sql: `UPDATE fleet_sessions SET doc = json_set(doc, '$.released', json('true')) WHERE session_id = ?`,
          params: [sessionId],
        },
      ]);
      return freed?.changes === 1;
    },

    async undo(sessionId, owner, to) {
      const doc = setFields({ phase: to, sessionId: null, sinceMs: now() });
      try {
        await database.write([
          {
            sql: "DELETE FROM fleet_sessions WHERE session_id = ? AND doc ->> 'owner' = ?",
            params: [sessionId, owner],
            expect: 'changed',
          },
          {
            sql: `UPDATE fleet_instances SET phase = ?, session_id = NULL, doc = ${doc.sql} WHERE session_id = ?`,
            params: [to, ...doc.params, sessionId],
            expect: 'changed',
          },
        ]);
        return true;
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
        return false;
      }
    },

    async adopt(sessionId, owner) {
      const [adopted] = await database.write([
        {
          sql: `UPDATE fleet_sessions SET doc = json_set(doc, '$.owner', ?) WHERE session_id = ? RETURNING doc`,
          params: [owner, sessionId],
          returns: true,
        },
      ]);
      const row = adopted?.rows[0];
      return row && recordOf(fleetSessionSchema, row);
    },

    session,

    async sessions(fleet) {
      const rows = database.all('SELECT doc FROM fleet_sessions WHERE fleet = ? ORDER BY session_id', fleet);
      return rows.map((row) => recordOf(fleetSessionSchema, row));
    },

    noteCommand: (sessionId, commandId) =>
      changes({
        sql: `UPDATE fleet_sessions SET doc = json_set(doc, '$.commandId', ?)
              WHERE session_id = ? AND doc ->> 'commandId' IS NULL`,
        params: [commandId, sessionId],
      }),

    noteEnd: (sessionId, end) =>
      changes({
        sql: `UPDATE fleet_sessions SET doc = json_set(doc, '$.end', json(?))
              WHERE session_id = ? AND doc ->> 'end' IS NULL`,
        params: [JSON.stringify(end), sessionId],
      }),

    async forget(sessionId) {
      await database.write([
        {
          sql: `DELETE FROM fleet_sessions WHERE session_id = ?1
                AND NOT EXISTS (SELECT 1 FROM fleet_instances WHERE session_id = ?1)`,
          params: [sessionId],
        },
        { sql: 'DELETE FROM fleet_wishes WHERE session_id = ?', params: [sessionId] },
      ]);
    },

    async wish({ sessionId, fleet, pool, untilMs }) {
      await database.write([
        {
          sql: `INSERT INTO fleet_wishes (session_id, fleet, pool, until_ms) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET pool = excluded.pool, until_ms = excluded.until_ms`,
          params: [sessionId, fleet, pool, untilMs],
        },
      ]);
    },

    async wishes(fleet) {
      const rows = database.all('SELECT * FROM fleet_wishes WHERE fleet = ? ORDER BY session_id', fleet);
      return rows.map((row) => wishSchema.parse(row));
    },

    async dropWish(sessionId) {
      await database.write([{ sql: 'DELETE FROM fleet_wishes WHERE session_id = ?', params: [sessionId] }]);
    },
  };
}
