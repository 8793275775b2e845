import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { BgAgentError } from '../task/errors.ts';
import { type Batch, type FromWriter, flagsOf, type Outcome, type ToWriter } from './batch.ts';
import {
  ConditionFailed,
  type Database,
  type MigrationSet,
  SqlError,
  type Statement,
  type StatementResult,
} from './database.ts';
import { createReader } from './reader.ts';
import type { WriterData } from './writer.ts';

export interface OpenOptions {
  /** Made, with its folder, when missing; only its owner may read it (mode 0600). */
  file: string;
  migrations: readonly MigrationSet[];
  /** Milliseconds since the epoch. Default: the system's clock. */
  now?: () => number;
}

const NO_ROWS: StatementResult['rows'] = [];

/** Under load the writer begins with the first units of a tick while the caller still makes the others. */
const SENT_AT_ONCE = 32;

/** A unit whose outcome is not known yet. */
interface Unit {
  statements: readonly Statement[];
  resolve(results: StatementResult[]): void;
  reject(error: Error): void;
}

/**
 * Opens the database for this process alone and brings it to the newest version.
 * Throws DATABASE_LOCKED (another process has it; the message names it) and DATABASE_TOO_NEW.
 */
export async function openDatabase({ file, migrations, now = Date.now }: OpenOptions): Promise<Database> {
  makePrivate(file);
  const writer = await startWriter({ file, pid: process.pid, migrations, openedAt: now() });
  const reader = createReader(file);

  const textIds = new Map<string, number>();
  let texts: string[] = [];
  /** In the order of the calls: the first are with the writer, the rest (from `sent`) go with the next batch. */
  let units: Unit[] = [];
  let sent = 0;
  let ended: Error | undefined;
  let closing: Promise<void> | undefined;

  const post = (message: ToWriter): void => writer.postMessage(message);

  function sendUnits(): void {
    const code: Batch['code'] = [];
    const count = units.length - sent;
    for (; sent < units.length; sent++) encode(code, units[sent]?.statements ?? []);
    if (count === 0) return;
    post({ kind: 'batch', code, texts, units: count });
    texts = [];
  }

  function encode(code: Batch['code'], statements: readonly Statement[]): void {
    code.push(statements.length);
    for (const statement of statements) {
      let id = textIds.get(statement.sql);
      if (id === undefined) {
        id = textIds.size;
        textIds.set(statement.sql, id);
        texts.push(statement.sql);
      }
      const params = statement.params;
      code.push(id, flagsOf(statement), params?.length ?? 0);
      if (params) for (const value of params) code.push(value ?? null);
    }
  }

  function settle(outcome: Outcome): void {
    const done = units.splice(0, outcome.units);
    sent -= outcome.units;
    let change = 0;
    let row = 0;
    let failed = 0;
    done.forEach((unit, index) => {
      const failure = outcome.failures[failed];
      if (failure?.unit === index) {
        failed += 1;
        unit.reject(
          failure.condition === null
            ? new SqlError(failure.message, failure.errcode)
            : new ConditionFailed(failure.condition),
        );
        return;
      }
      const results: StatementResult[] = [];
      for (let left = unit.statements.length; left > 0; left--, change++) {
        let rows = NO_ROWS;
        if (outcome.rows[row] === change) {
          rows = outcome.rows[row + 1] as StatementResult['rows'];
          row += 2;
        }
        results.push({ changes: outcome.changes[change] ?? 0, rows });
      }
      unit.resolve(results);
    });
    // Only unfinished work keeps the process alive, and the close that somebody waits for.
    if (units.length === 0 && !closing) writer.unref();
  }

  function end(error: Error): void {
    ended ??= error;
    const lost = units;
    units = [];
    sent = 0;
    for (const unit of lost) unit.reject(ended);
  }

  writer.on('message', (message: FromWriter) => {
    if (message.kind === 'outcome') settle(message);
  });
  writer.on('error', (error) =>
    end(new BgAgentError('DATABASE_CLOSED', `The writer of ${file} failed.`, { cause: error })),
  );
  writer.on('exit', () => end(new BgAgentError('DATABASE_CLOSED', `The writer of ${file} has ended.`)));
  writer.unref();

  return {
    file,
    all: reader.all,
    get: reader.get,
    write(statements) {
      if (ended || closing) {
        return Promise.reject(ended ?? new BgAgentError('DATABASE_CLOSED', `${file} is closed.`));
      }
      return new Promise((resolve, reject) => {
        if (units.length === 0) writer.ref();
        if (units.length === sent) setImmediate(sendUnits);
        units.push({ statements, resolve, reject });
        if (units.length - sent >= SENT_AT_ONCE) sendUnits();
      });
    },
    close() {
      closing ??= new Promise<void>((resolve) => {
        const finish = (): void => {
          reader.close();
          resolve();
        };
        if (ended) return finish();
        sendUnits();
        writer.ref();
        writer.once('exit', finish);
        post({ kind: 'close' });
      });
      return closing;
    },
  };
}

/**
 * SQLite gives the files beside the database (`-wal`, `-shm`) the mode of the database itself. A file that exists is not opened
 * here: closing it again would drop the locks that this process may hold on it.
 */
function makePrivate(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  for (const path of [file, `${file}.lock`]) {
    if (existsSync(path)) chmodSync(path, 0o600);
    else closeSync(openSync(path, 'a', 0o600));
  }
}

function startWriter(data: WriterData): Promise<Worker> {
  const cache = getCompileCacheDir();
  const worker = new Worker(new URL('./writer.ts', import.meta.url), {
    workerData: data,
    name: 'bgagent-sqlite',
    // It needs nothing of the environment; compiled code is shared so that the thread starts fast and small.
    env: cache === undefined ? {} : { NODE_COMPILE_CACHE: cache },
  });
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (message: FromWriter) => {
      worker.off('error', reject);
      if (message.kind === 'refused') reject(new BgAgentError(message.code, message.message));
      else resolve(worker);
    });
  });
}
