import type { MigrationSet } from '../../sqlite/database.ts';

/** Records as in `schema.ts`: `doc` is all of it, columns repeat what is searched or compared. */
export const instanceMigrations: MigrationSet = {
  area: 'instances',
  migrations: [
    {
      version: 1,
      sql: `
CREATE TABLE fleet_instances (
  instance_id TEXT PRIMARY KEY,
  fleet TEXT NOT NULL,
  pool TEXT NOT NULL,
  phase TEXT NOT NULL,
  session_id TEXT,
  doc TEXT NOT NULL
) STRICT;
CREATE INDEX fleet_instances_by_fleet ON fleet_instances (fleet, instance_id);
CREATE INDEX fleet_instances_idle ON fleet_instances (fleet, pool, instance_id) WHERE phase = 'idle';
CREATE UNIQUE INDEX fleet_instances_by_session ON fleet_instances (session_id) WHERE session_id IS NOT NULL;

CREATE TABLE fleet_sessions (
  session_id TEXT PRIMARY KEY,
  fleet TEXT NOT NULL,
  doc TEXT NOT NULL
) STRICT;
CREATE INDEX fleet_sessions_by_fleet ON fleet_sessions (fleet, session_id);

CREATE TABLE fleet_wishes (
  session_id TEXT PRIMARY KEY,
  fleet TEXT NOT NULL,
  pool TEXT NOT NULL,
  until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX fleet_wishes_by_fleet ON fleet_wishes (fleet, session_id);
`,
    },
  ],
};
