import type { SQLInputValue, SQLOutputValue } from 'node:sqlite';

/** The one database file: one writer (in a worker thread), readers on the caller's thread. */
export interface Database {
  readonly file: string;

  /**
   * Runs all statements as one atomic unit and resolves when it is flushed to disk (group commit: units that wait together
   * share one transaction and one fsync, each in a savepoint of its own). Units commit in the order of the calls.
   * Throws ConditionFailed, with nothing of the unit written, when a statement's `expect` doesn't hold, and SqlError when SQLite
   * refuses a statement. Statements are prepared once and kept by their text: pass values as `params`, never in the text.
   */
  write(statements: readonly Statement[]): Promise<StatementResult[]>;

  /** Reads what is committed, synchronously. */
  all(sql: string, ...params: SQLInputValue[]): Row[];
  get(sql: string, ...params: SQLInputValue[]): Row | undefined;

  /** Finishes what was written before, then closes. */
  close(): Promise<void>;
}

export type Row = Record<string, SQLOutputValue>;

export interface Statement {
  sql: string;
  params?: readonly SQLInputValue[];
  /** `changed`: at least one row was changed (or returned, for a query). `none`: no row was. Otherwise the unit is undone. */
  expect?: 'changed' | 'none';
  /** Return the rows (SELECT, or RETURNING). */
  returns?: boolean;
}

export interface StatementResult {
  changes: number;
  rows: Row[];
}

/** A statement's `expect` did not hold; the unit was undone. */
export class ConditionFailed extends Error {
  readonly index: number;
  constructor(index: number) {
    super(`condition of statement ${index} failed`);
    this.name = 'ConditionFailed';
    this.index = index;
  }
}

/** SQLite refused a statement of the unit (a constraint, bad SQL, a full disk); the unit was undone. */
export class SqlError extends Error {
  /** SQLite's extended result code, such as 2067 for a UNIQUE constraint; 0 when the error isn't SQLite's. */
  readonly errcode: number;
  constructor(message: string, errcode: number) {
    super(message);
    this.name = 'SqlError';
    this.errcode = errcode;
  }
}

/** Schema changes, applied in order; each folder that owns tables brings its own list. Never edit one that was released. */
export interface Migration {
  /** Grows within `area`. */
  version: number;
  sql: string;
}
export interface MigrationSet {
  area: string;
  migrations: readonly Migration[];
}
