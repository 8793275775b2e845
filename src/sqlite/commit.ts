import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
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

  /** Runs the statements of the unit at `at`; what they did goes to `outcome`. Returns the failure, if one failed. */
  function runUnit(code: Batch['code'], at: number, outcome: Outcome): Failure | undefined {
    let next = at + 1;
    for (let index = 0, count = Number(code[at]); index < count; index++) {
      const flags = Number(code[next + 1]);
      const firstParam = next + 3;
      const afterParams = firstParam + Number(code[next + 2]);
      try {
        const { run, isQuery } = statement(Number(code[next]));
        const params = code.slice(firstParam, afterParams) as SQLInputValue[];
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
        if (!holds) return { condition: index, message: '', errcode: 0 };
      } catch (error) {
        return { condition: null, ...describe(error) };
      }
      next = afterParams;
    }
    return undefined;
  }

  /** Most units do not fail: all of them in one go, without a savepoint each. Undefined when one did fail, with nothing done. */
  function runAll(batches: readonly Batch[]): Outcome | undefined {
    const outcome = emptyOutcome();
    begin.run();
    for (const { code } of batches) {
      for (let at = 0; at < code.length; at = endOfUnit(code, at)) {
        if (runUnit(code, at, outcome)) {
          if (db.isTransaction) db.exec('ROLLBACK');
          return undefined;
        }
        outcome.units += 1;
      }
    }
    end.run();
    return outcome;
  }

  /** Each unit in a savepoint, so that those that fail are undone and the others stay. */
  function runEach(batches: readonly Batch[]): Outcome {
    const outcome = emptyOutcome();
    begin.run();
    for (const { code } of batches) {
      for (let at = 0; at < code.length; at = endOfUnit(code, at)) {
        const { changes, rows } = outcome;
        const kept = [changes.length, rows.length] as const;
        savepoint.run();
        const failure = runUnit(code, at, outcome);
        if (failure) {
          // A full disk or an I/O error ends the whole transaction by itself.
          if (!db.isTransaction)
            throw Object.assign(new Error(failure.message), { errcode: failure.errcode });
          db.exec('ROLLBACK TO unit');
          [changes.length, rows.length] = kept;
          outcome.failures.push({ unit: outcome.units, ...failure });
        }
        release.run();
        outcome.units += 1;
      }
    }
    end.run();
    return outcome;
  }

  return {
    commit(batches) {
      try {
        for (const batch of batches) for (const text of batch.texts) texts.push(text);
        return runAll(batches) ?? runEach(batches);
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        const units = batches.reduce((sum, batch) => sum + batch.units, 0);
        const why = describe(error);
        const failures = Array.from({ length: units }, (_, unit) => ({ unit, condition: null, ...why }));
        return { ...emptyOutcome(), units, failures };
      }
    },
  };
}

type Failure = Omit<UnitFailure, 'unit'>;

const emptyOutcome = (): Outcome => ({ kind: 'outcome', units: 0, changes: [], rows: [], failures: [] });

function endOfUnit(code: Batch['code'], at: number): number {
  let next = at + 1;
  for (let left = Number(code[at]); left > 0; left--) next += 3 + Number(code[next + 2]);
  return next;
}

function describe(error: unknown): { message: string; errcode: number } {
  const message = error instanceof Error ? error.message : String(error);
  const errcode = error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0;
  return { message, errcode };
}
