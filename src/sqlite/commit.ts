import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Batch, EXPECT_CHANGED, EXPECT_NONE, type Outcome, RETURNS, type UnitFailure } from './batch.ts';
import type { Row } from './database.ts';

/** Runs batches of units, each batch as one transaction with one flush. */
export interface Committer {
  commit(batches: readonly Batch[]): Outcome;
}

interface Prepared {
  run: StatementSync;
  /** SELECT, or RETURNING: what it changed is the number of its rows. */
  isQuery: boolean;
}

export function createCommitter(db: DatabaseSync): Committer {
  const texts: string[] = [];
  const prepared: (Prepared | undefined)[] = [];
  const begin = db.prepare('BEGIN IMMEDIATE');
  const end = db.prepare('COMMIT');
  const savepoint = db.prepare('SAVEPOINT unit');
  const release = db.prepare('RELEASE unit');

  const statement = (id: number): Prepared => {
    const known = prepared[id];
    if (known) return known;
    const run = db.prepare(texts[id] ?? '');
    const made = { run, isQuery: run.columns().length > 0 };
    prepared[id] = made;
    return made;
  };

  /** Runs one unit from `at`; returns where the next starts. A failure undoes the unit and is noted in `outcome`. */
  function runUnit(code: Batch['code'], at: number, outcome: Outcome): void {
    const statements = Number(code[at]);
    const kept = outcome.changes.length;
    const keptRows = outcome.rows.length;
    savepoint.run();
    let failure: Omit<UnitFailure, 'unit'> | undefined;
    let next = at + 1;
    for (let index = 0; index < statements && !failure; index++) {
      const flags = Number(code[next + 1]);
      const firstParam = next + 3;
      const afterParams = firstParam + Number(code[next + 2]);
      try {
        const { run, isQuery } = statement(Number(code[next]));
        const params = code.slice(firstParam, afterParams).map((value) => value ?? null);
        let changed: number;
        if (isQuery) {
          const rows = run.all(...params) as Row[];
          changed = rows.length;
          if (flags & RETURNS) outcome.rows.push(outcome.changes.length, rows);
        } else {
          changed = Number(run.run(...params).changes);
        }
        outcome.changes.push(changed);
        const holds = flags & EXPECT_CHANGED ? changed > 0 : flags & EXPECT_NONE ? changed === 0 : true;
        if (!holds) failure = { condition: index, message: '', errcode: 0 };
      } catch (error) {
        failure = { condition: null, ...describe(error) };
      }
      next = afterParams;
    }
    if (failure) {
      // A full disk or an I/O error ends the whole transaction by itself; commit() deals with that.
      if (db.isTransaction) db.exec('ROLLBACK TO unit');
      outcome.changes.length = kept;
      outcome.rows.length = keptRows;
      outcome.failures.push({ unit: outcome.units, ...failure });
    }
    if (db.isTransaction) release.run();
  }

  return {
    commit(batches) {
      const outcome: Outcome = { kind: 'outcome', units: 0, changes: [], rows: [], failures: [] };
      const total = batches.reduce((sum, batch) => sum + batch.units, 0);
      try {
        for (const batch of batches) for (const text of batch.texts) texts.push(text);
        begin.run();
        for (const { code } of batches) {
          for (let at = 0; at < code.length; at = endOfUnit(code, at)) {
            runUnit(code, at, outcome);
            outcome.units += 1;
            if (!db.isTransaction) throw lastError(outcome);
          }
        }
        end.run();
        return outcome;
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        const why = describe(error);
        const failures = Array.from({ length: total }, (_, unit) => ({ unit, condition: null, ...why }));
        return { kind: 'outcome', units: total, changes: [], rows: [], failures };
      }
    },
  };
}

function endOfUnit(code: Batch['code'], at: number): number {
  let next = at + 1;
  for (let left = Number(code[at]); left > 0; left--) next += 3 + Number(code[next + 2]);
  return next;
}

const lastError = (outcome: Outcome): Error => {
  const last = outcome.failures.at(-1);
  return Object.assign(new Error(last?.message ?? 'the transaction was ended by SQLite'), {
    errcode: last?.errcode ?? 0,
  });
};

function describe(error: unknown): { message: string; errcode: number } {
  const message = error instanceof Error ? error.message : String(error);
  const errcode = error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0;
  return { message, errcode };
}
