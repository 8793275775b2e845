import type { ErrorObject } from '@aws/durable-execution-sdk-js';
import type { Database, MigrationSet, Row, Statement } from '../../sqlite/database.ts';
import type { ExecutionStatus } from '../runtime.ts';

/** The tables of the runtime, for whoever opens the database that it shares. */
export const runtimeMigrations: MigrationSet = {
  area: 'runtime',
  migrations: [
    {
      version: 1,
      sql: `
        CREATE TABLE execution (
          key INTEGER PRIMARY KEY,
          id TEXT NOT NULL UNIQUE,
          name TEXT NOT NULL,
          operation_id TEXT NOT NULL,
          status TEXT NOT NULL,
          parked INTEGER NOT NULL,
          wake_at INTEGER,
          timeout_at INTEGER,
          started_at INTEGER NOT NULL,
          ended_at INTEGER,
          input TEXT NOT NULL,
          result TEXT,
          error TEXT,
          parent_id TEXT,
          parent_operation TEXT
        ) STRICT;
        CREATE INDEX execution_to_drive ON execution (name) WHERE status = 'RUNNING' AND parked = 0;
        CREATE INDEX execution_due ON execution (wake_at) WHERE status = 'RUNNING' AND parked = 1 AND wake_at IS NOT NULL;
        CREATE INDEX execution_ended ON execution (ended_at) WHERE ended_at IS NOT NULL;
        CREATE TABLE execution_log (
          position INTEGER PRIMARY KEY,
          execution INTEGER NOT NULL,
          entries TEXT NOT NULL
        ) STRICT;
        CREATE INDEX execution_log_of ON execution_log (execution);`,
    },
  ],
};

/** Times are milliseconds since the epoch. */
export interface ExecutionRow {
  readonly key: number;
  readonly id: string;
  readonly name: string;
  /** Id of the operation that stands for the execution itself. */
  readonly operationId: string;
  status: ExecutionStatus;
  /** Nothing is to be done until `wakeAt`, or until something comes from outside. */
  parked: boolean;
  wakeAt: number | null;
  readonly timeoutAt: number | null;
  readonly startedAt: number;
  endedAt: number | null;
  /** JSON. */
  readonly input: string;
  result: string | null;
  error: ErrorObject | null;
  /** The chained invoke that started this execution. */
  readonly parent: { id: string; operationId: string } | null;
}

/** Reads, and the statements of writes; the caller puts these together into units. */
export interface ExecutionTable {
  byId(id: string): ExecutionRow | undefined;
  /** The rows of the log, oldest first; see `decodeEntries`. */
  log(key: number): string[];
  lastKey(): number;
  /** Executions of a handler that are in the middle of something. */
  toDrive(name: string): string[];
  /** Parked executions of these handlers whose time has come. */
  due(names: readonly string[], now: number, limit: number): string[];
  nextWakeAt(names: readonly string[]): number | undefined;

  insert(row: ExecutionRow): Statement;
  append(key: number, encodedEntries: string): Statement;
  park(key: number, wakeAt: number | null): Statement;
  unpark(key: number): Statement;
  end(row: ExecutionRow): Statement;
  /** Removes up to `limit` executions that ended before a time, with their logs. */
  sweep(endedBefore: number, limit: number): Statement[];
}

const INSERT = `INSERT INTO execution (key, id, name, operation_id, status, parked, wake_at, timeout_at, started_at, input, parent_id,
  parent_operation) VALUES (?, ?, ?, ?, 'RUNNING', 0, NULL, ?, ?, ?, ?, ?)`;
const APPEND = 'INSERT INTO execution_log (execution, entries) VALUES (?, ?)';
const PARK = 'UPDATE execution SET parked = 1, wake_at = ? WHERE key = ?';
const UNPARK = 'UPDATE execution SET parked = 0, wake_at = NULL WHERE key = ?';
const END =
  'UPDATE execution SET status = ?, ended_at = ?, result = ?, error = ?, wake_at = NULL WHERE key = ?';
const NAMED = `name IN (SELECT value FROM json_each(?)) AND status = 'RUNNING' AND parked = 1 AND wake_at IS NOT NULL`;
const ENDED = 'SELECT key FROM execution WHERE ended_at < ? ORDER BY ended_at LIMIT ?';

export function createExecutionTable(database: Database): ExecutionTable {
  const ids = (rows: Row[]): string[] => rows.map(({ id }) => String(id));
  return {
    byId(id) {
      const row = database.get('SELECT * FROM execution WHERE id = ?', id);
      return row && rowOf(row);
    },
    log: (key) =>
      database
        .all('SELECT entries FROM execution_log WHERE execution = ? ORDER BY position', key)
        .map(({ entries }) => String(entries)),
    lastKey: () => Number(database.get('SELECT max(key) AS key FROM execution')?.key ?? 0),
    toDrive: (name) =>
      ids(
        database.all(
          "SELECT id FROM execution WHERE name = ? AND status = 'RUNNING' AND parked = 0 ORDER BY key",
          name,
        ),
      ),
    due: (names, now, limit) =>
      ids(
        database.all(
          `SELECT id FROM execution WHERE ${NAMED} AND wake_at <= ? ORDER BY wake_at LIMIT ?`,
          JSON.stringify(names),
          now,
          limit,
        ),
      ),
    nextWakeAt(names) {
      const row = database.get(
        `SELECT wake_at FROM execution WHERE ${NAMED} ORDER BY wake_at LIMIT 1`,
        JSON.stringify(names),
      );
      return row && Number(row.wake_at);
    },
    insert: (row) => ({
      sql: INSERT,
      params: [
        row.key,
        row.id,
        row.name,
        row.operationId,
        row.timeoutAt,
        row.startedAt,
        row.input,
        row.parent?.id ?? null,
        row.parent?.operationId ?? null,
      ],
    }),
    append: (key, encodedEntries) => ({ sql: APPEND, params: [key, encodedEntries] }),
    park: (key, wakeAt) => ({ sql: PARK, params: [wakeAt, key] }),
    unpark: (key) => ({ sql: UNPARK, params: [key] }),
    end: ({ key, status, endedAt, result, error }) => ({
      sql: END,
      params: [status, endedAt, result, error === null ? null : JSON.stringify(error), key],
    }),
    sweep: (endedBefore, limit) => [
      { sql: `DELETE FROM execution_log WHERE execution IN (${ENDED})`, params: [endedBefore, limit] },
      { sql: `DELETE FROM execution WHERE key IN (${ENDED})`, params: [endedBefore, limit] },
    ],
  };
}

function rowOf(row: Row): ExecutionRow {
  const time = (value: unknown): number | null => (value === null ? null : Number(value));
  return {
    key: Number(row.key),
    id: String(row.id),
    name: String(row.name),
    operationId: String(row.operation_id),
    status: row.status as ExecutionStatus,
    parked: row.parked === 1,
    wakeAt: time(row.wake_at),
    timeoutAt: time(row.timeout_at),
    startedAt: Number(row.started_at),
    endedAt: time(row.ended_at),
    input: String(row.input),
    result: row.result === null ? null : String(row.result),
    error: row.error === null ? null : (JSON.parse(String(row.error)) as ErrorObject),
    parent:
      row.parent_id === null
        ? null
        : { id: String(row.parent_id), operationId: String(row.parent_operation) },
  };
}
