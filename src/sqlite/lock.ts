import { DatabaseSync } from 'node:sqlite';
import { BgAgentError } from '../task/errors.ts';

const SQLITE_BUSY = 5;

/**
 * Makes this process the only writer of `file`, until it closes the lock or dies. The lock is SQLite's own (so the operating
 * system drops it with the process, however that ends) on a small database beside the file: an open write transaction, which
 * others can't have but can read beside, to learn who holds it. Throws DATABASE_LOCKED with the holder's process id.
 */
export function lockDatabase(file: string, pid: number): { release(): void } {
  const lock = new DatabaseSync(`${file}.lock`);
  try {
    lock.exec('PRAGMA synchronous = OFF');
    lock.exec('BEGIN IMMEDIATE');
    lock.exec(
      'CREATE TABLE IF NOT EXISTS holder (id INTEGER PRIMARY KEY CHECK (id = 1), pid INTEGER NOT NULL)',
    );
    lock.prepare('INSERT OR REPLACE INTO holder VALUES (1, ?)').run(pid);
    lock.exec('COMMIT');
    lock.exec('BEGIN IMMEDIATE');
  } catch (error) {
    if (!isBusy(error)) throw error;
    const holder = holderOf(lock);
    lock.close();
    throw new BgAgentError('DATABASE_LOCKED', `${file} is in use by ${holder}.`, { cause: error });
  }
  return { release: () => lock.close() };
}

function holderOf(lock: DatabaseSync): string {
  try {
    return `process ${lock.prepare('SELECT pid FROM holder').get()?.pid}`;
  } catch (error) {
    // The holder is at this moment writing its name.
    if (error instanceof Error) return 'another process';
    throw error;
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
