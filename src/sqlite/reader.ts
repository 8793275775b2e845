import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Database, Row } from './database.ts';

/** Statements kept prepared; more than the platform has, so that texts made by hand can't pile up. */
const KEPT = 500;

/** A connection that reads what is committed, on the caller's thread. */
export function createReader(file: string): Pick<Database, 'all' | 'get'> & { close(): void } {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  const kept = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    let statement = kept.get(sql);
    if (!statement) {
      statement = db.prepare(sql);
      if (kept.size >= KEPT) kept.clear();
      kept.set(sql, statement);
    }
    return statement;
  };
  return {
    all: (sql, ...params) => prepared(sql).all(...params) as Row[],
    get: (sql, ...params) => prepared(sql).get(...params) as Row | undefined,
    close: () => db.close(),
  };
}
