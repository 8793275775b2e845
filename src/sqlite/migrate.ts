import type { DatabaseSync } from 'node:sqlite';
import { BgAgentError } from '../task/errors.ts';
import type { MigrationSet } from './database.ts';

/**
 * Brings every area to its newest version, one transaction a step, so that a crash between steps goes on where it was.
 * Throws DATABASE_TOO_NEW, before anything is changed, when the file has a version that this program doesn't know.
 */
export function migrate(db: DatabaseSync, sets: readonly MigrationSet[], now: () => number): void {
  db.exec(`CREATE TABLE IF NOT EXISTS schema_version (
    area TEXT NOT NULL, version INTEGER NOT NULL, applied_at INTEGER NOT NULL, PRIMARY KEY (area, version)
  ) STRICT, WITHOUT ROWID`);
  const current = db.prepare('SELECT max(version) AS version FROM schema_version WHERE area = ?');
  const applied = sets.map(({ area }) => Number(current.get(area)?.version ?? 0));

  sets.forEach(({ area, migrations }, index) => {
    const known = Math.max(0, ...migrations.map(({ version }) => version));
    const present = applied[index] ?? 0;
    if (present > known) {
      const message = `The database has version ${present} of "${area}", this program knows up to version ${known}.`;
      throw new BgAgentError('DATABASE_TOO_NEW', message);
    }
  });

  const note = db.prepare('INSERT INTO schema_version (area, version, applied_at) VALUES (?, ?, ?)');
  sets.forEach(({ area, migrations }, index) => {
    const due = migrations.filter(({ version }) => version > (applied[index] ?? 0));
    for (const { version, sql } of due.toSorted((a, b) => a.version - b.version)) {
      db.exec('BEGIN IMMEDIATE');
      try {
        db.exec(sql);
        note.run(area, version, now());
        db.exec('COMMIT');
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw new BgAgentError('INTERNAL_ERROR', `Version ${version} of "${area}" could not be applied.`, {
          cause: error,
        });
      }
    }
  });
}
