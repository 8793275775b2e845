import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseContract } from '../../test/contracts/database.contract.ts';
import type { Database } from './database.ts';
import { openDatabase } from './open.ts';

databaseContract((file, migrations) => openDatabase({ file, migrations }));

const WRITER = new URL('../../test/fixtures/database-writer.ts', import.meta.url).pathname;
const CLOSER = new URL('../../test/fixtures/database-closer.ts', import.meta.url).pathname;
const NUMBERS = {
  area: 'numbers',
  migrations: [{ version: 1, sql: 'CREATE TABLE number (n INTEGER PRIMARY KEY)' }],
};

describe('the database file', () => {
  let folder: string;
  let file: string;
  let children: ChildProcess[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bgagent-db-'));
    file = join(folder, 'data', 'test.db');
    children = [];
  });
  afterEach(async () => {
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    rmSync(folder, { recursive: true });
  });

  /** Starts the writing program; resolves when it has written `atLeast` numbers, with everything it says until its end. */
  async function startWriter(atLeast: number): Promise<{ child: ChildProcess; said: () => string }> {
    const child = spawn(process.execPath, [WRITER, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the writer ended with ${code}`)));
      child.stdout?.on('data', (chunk) => {
        said += chunk;
        if (said.split('\n').length > atLeast) resolve();
      });
    });
    return { child, said: () => said };
  }

  it('keeps a program alive until it is closed, also when a write was on its way', () => {
    expect(execFileSync(process.execPath, [CLOSER, file], { encoding: 'utf8' })).toBe('closed\n');
  });

  it('that is none is named, and left as it is', async () => {
    mkdirSync(join(folder, 'data'));
    writeFileSync(file, 'something else altogether, and long enough');
    await expect(openDatabase({ file, migrations: [NUMBERS] })).rejects.toMatchObject({
      code: 'DATABASE_DAMAGED',
      message: expect.stringContaining(file),
    });
    expect(readFileSync(file, 'utf8')).toMatch(/^something else/);
  });

  it('and what lies beside it belong to their owner alone', async () => {
    const db = await openDatabase({ file, migrations: [NUMBERS] });
    await db.write([{ sql: 'INSERT INTO number VALUES (1)' }]);
    for (const name of ['test.db', 'test.db-wal', 'test.db-shm', 'test.db.lock']) {
      expect(statSync(join(folder, 'data', name)).mode & 0o777, name).toBe(0o600);
    }
    await db.close();
  });

  it('has after kill -9 all that was acknowledged', async () => {
    for (const round of [1, 2, 3]) {
      const { child, said } = await startWriter(30 * round);
      child.kill('SIGKILL');
      await once(child.stdout ?? child, 'close');
      const acknowledged = said().split('\n').slice(1, -1).map(Number);
      const db: Database = await openDatabase({ file, migrations: [NUMBERS] });
      const present = new Set(db.all('SELECT n FROM number').map(({ n }) => n));
      expect(acknowledged.length).toBeGreaterThan(20);
      expect(acknowledged.filter((n) => !present.has(n))).toEqual([]);
      await db.close();
    }
  });

  it('is refused to a second process, which is told who has it', async () => {
    const { child } = await startWriter(1);
    await expect(openDatabase({ file, migrations: [NUMBERS] })).rejects.toMatchObject({
      code: 'DATABASE_LOCKED',
      message: expect.stringContaining(`process ${child.pid}`),
    });
  });

  it('is refused to a second opener in the same process', async () => {
    const db = await openDatabase({ file, migrations: [NUMBERS] });
    const again = openDatabase({ file, migrations: [NUMBERS] });
    await expect(again).rejects.toMatchObject({ code: 'DATABASE_LOCKED' });
    const stillOnce = openDatabase({ file, migrations: [NUMBERS] });
    await expect(stillOnce).rejects.toMatchObject({
      message: expect.stringContaining(`process ${process.pid}`),
    });
    await db.close();
  });
});
