import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database, MigrationSet } from '../../src/sqlite/database.ts';

const SCHEMA: MigrationSet = {
  area: 'contract',
  migrations: [
    { version: 1, sql: 'CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT UNIQUE, data BLOB) STRICT' },
  ],
};

const ADD = 'INSERT INTO note (id, text) VALUES (?, ?)';

/** What every Database does, whatever is behind it. */
export function databaseContract(open: (file: string, sets: MigrationSet[]) => Promise<Database>): void {
  describe('a database', () => {
    let folder: string;
    let db: Database;
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'bgagent-db-'));
      db = await open(join(folder, 'test.db'), [SCHEMA]);
    });
    afterEach(async () => {
      await db.close();
      rmSync(folder, { recursive: true });
    });
    const ids = () => db.all('SELECT id FROM note ORDER BY id').map(({ id }) => id);

    it('reads what was acknowledged', async () => {
      await db.write([{ sql: ADD, params: [1, 'one'] }]);
      expect(db.get('SELECT text FROM note WHERE id = ?', 1)).toEqual({ text: 'one' });
      expect(db.get('SELECT text FROM note WHERE id = ?', 2)).toBeUndefined();
    });

    it('keeps every kind of value', async () => {
      const bytes = new Uint8Array([0, 255, 7]);
      const [result] = await db.write([
        {
          sql: 'SELECT ? AS a, ? AS b, ? AS c, ? AS d',
          params: [null, 2 ** 52, 'ä\n\u{1f680}', bytes],
          returns: true,
        },
      ]);
      expect(result?.rows).toEqual([{ a: null, b: 2 ** 52, c: 'ä\n\u{1f680}', d: bytes }]);
    });

    it('says how many rows each statement changed and returns rows where they are wanted', async () => {
      const results = await db.write([
        { sql: ADD, params: [1, 'one'] },
        { sql: ADD, params: [2, 'two'] },
        { sql: 'UPDATE note SET text = text || ? RETURNING id, text', params: ['!'], returns: true },
        { sql: 'DELETE FROM note WHERE id = 9' },
        { sql: 'SELECT count(*) AS n FROM note', returns: true },
      ]);
      expect(results.map(({ changes }) => changes)).toEqual([1, 1, 2, 0, 1]);
      expect(results.map(({ rows }) => rows)).toEqual([
        [],
        [],
        [
          { id: 1, text: 'one!' },
          { id: 2, text: 'two!' },
        ],
        [],
        [{ n: 2 }],
      ]);
    });

    it('undoes the whole unit when an expected change did not happen', async () => {
      const unit = db.write([
        { sql: ADD, params: [1, 'one'] },
        { sql: 'UPDATE note SET text = ? WHERE id = 7', params: ['x'], expect: 'changed' },
      ]);
      await expect(unit).rejects.toMatchObject({ name: 'ConditionFailed', index: 1 });
      expect(ids()).toEqual([]);
    });

    it('undoes the whole unit when a change happened that was not expected', async () => {
      await db.write([{ sql: ADD, params: [1, 'one'] }]);
      const unit = db.write([
        { sql: ADD, params: [2, 'two'] },
        { sql: 'SELECT 1 FROM note WHERE id = 1', expect: 'none' },
      ]);
      await expect(unit).rejects.toMatchObject({ name: 'ConditionFailed', index: 1 });
      expect(ids()).toEqual([1]);
    });

    it('accepts conditions that hold', async () => {
      await db.write([
        { sql: 'SELECT 1 FROM note', expect: 'none' },
        { sql: ADD, params: [1, 'one'], expect: 'changed' },
        { sql: 'SELECT 1 FROM note', expect: 'changed' },
      ]);
      expect(ids()).toEqual([1]);
    });

    it('lets a failed unit spoil none of those that share its transaction', async () => {
      await db.write([{ sql: ADD, params: [1, 'one'] }]);
      const outcomes = await Promise.allSettled([
        db.write([{ sql: ADD, params: [2, 'two'] }]),
        db.write([
          { sql: ADD, params: [3, 'three'] },
          { sql: ADD, params: [4, 'one'] },
        ]),
        db.write([{ sql: 'SELECT text FROM note WHERE id = 2', returns: true }]),
        db.write([{ sql: 'NONSENSE' }]),
        db.write([{ sql: ADD, params: [5, 'five'] }]),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect(outcomes[1]).toMatchObject({ reason: { name: 'SqlError', errcode: 2067 } });
      expect(outcomes[2]).toMatchObject({ value: [{ rows: [{ text: 'two' }] }] });
      expect(ids()).toEqual([1, 2, 5]);
    });

    it('commits units in the order of the calls', async () => {
      const set =
        'INSERT INTO note (id, text) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET text = text || excluded.text';
      const letters = [...'the quick brown fox jumps over the lazy dog'];
      const order: string[] = [];
      await Promise.all(
        letters.map(async (letter, index) => {
          if (index === 20) await new Promise(setImmediate);
          await db.write([{ sql: set, params: [letter] }]);
          order.push(letter);
        }),
      );
      const inOrder = [...letters.slice(0, 20), ...letters.slice(21), ...letters.slice(20, 21)].join('');
      expect(db.get('SELECT text FROM note')).toEqual({ text: inOrder });
      expect(order.join('')).toBe(inOrder);
    });

    it('finishes what was written before it closes, and takes nothing after', async () => {
      const last = db.write([{ sql: ADD, params: [1, 'one'] }]);
      const closed = db.close();
      await expect(db.write([{ sql: ADD, params: [2, 'two'] }])).rejects.toMatchObject({
        code: 'DATABASE_CLOSED',
      });
      await last;
      await closed;
      db = await open(join(folder, 'test.db'), [SCHEMA]);
      expect(ids()).toEqual([1]);
    });

    it('migrates an older database and keeps its data', async () => {
      await db.write([{ sql: ADD, params: [1, 'one'] }]);
      await db.close();
      const newer = {
        ...SCHEMA,
        migrations: [...SCHEMA.migrations, { version: 2, sql: 'ALTER TABLE note ADD COLUMN extra TEXT' }],
      };
      const other = { area: 'other', migrations: [{ version: 1, sql: 'CREATE TABLE other (id INTEGER)' }] };
      db = await open(join(folder, 'test.db'), [newer, other]);
      await db.write([
        { sql: 'UPDATE note SET extra = ?', params: ['more'] },
        { sql: 'INSERT INTO other VALUES (1)' },
      ]);
      expect(db.all('SELECT id, text, extra FROM note')).toEqual([{ id: 1, text: 'one', extra: 'more' }]);
    });

    it('refuses a database that is newer than the program and leaves it as it was', async () => {
      await db.close();
      const newer = {
        ...SCHEMA,
        migrations: [...SCHEMA.migrations, { version: 7, sql: 'CREATE TABLE later (id INTEGER)' }],
      };
      await (await open(join(folder, 'test.db'), [newer])).close();
      const other = { area: 'other', migrations: [{ version: 1, sql: 'CREATE TABLE other (id INTEGER)' }] };
      await expect(open(join(folder, 'test.db'), [other, SCHEMA])).rejects.toMatchObject({
        code: 'DATABASE_TOO_NEW',
        message: expect.stringMatching(/version 7 of "contract".*version 1/),
      });
      db = await open(join(folder, 'test.db'), [newer]);
      expect(db.get("SELECT 1 FROM sqlite_schema WHERE name = 'other'")).toBeUndefined();
    });

    it('leaves nothing behind of a migration that fails', async () => {
      await db.close();
      const broken = {
        ...SCHEMA,
        migrations: [...SCHEMA.migrations, { version: 2, sql: 'CREATE TABLE half (id INTEGER); NONSENSE' }],
      };
      await expect(open(join(folder, 'test.db'), [broken])).rejects.toMatchObject({
        message: expect.stringMatching(/Version 2 of "contract".*NONSENSE/),
      });
      db = await open(join(folder, 'test.db'), [SCHEMA]);
      expect(db.get("SELECT 1 FROM sqlite_schema WHERE name = 'half'")).toBeUndefined();
    });
  });
}
