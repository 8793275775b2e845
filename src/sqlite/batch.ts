import type { SQLInputValue } from 'node:sqlite';
import type { ErrorCode } from '../task/errors.ts';
import type { Row, Statement } from './database.ts';

/**
 * What goes to the writer and comes back, as flat arrays: structured clone copies them several times faster than objects,
 * and the caller's thread is the busier of the two.
 */

export interface Batch {
  kind: 'batch';
  /** For each unit its number of statements, then for each statement: text id, flags, number of params, params. */
  code: SQLInputValue[];
  /** Texts that the writer hasn't seen, in the order of their ids. */
  texts: string[];
  units: number;
}

export interface Outcome {
  kind: 'outcome';
  units: number;
  /** Rows changed, for each statement of the units that did not fail. */
  changes: number[];
  /** Rows of statements with `returns`: position in `changes`, rows. */
  rows: (number | Row[])[];
  failures: UnitFailure[];
}

export interface UnitFailure {
  unit: number;
  /** Index of the statement whose condition failed, or null for an error of SQLite. */
  condition: number | null;
  message: string;
  errcode: number;
}

export type ToWriter = Batch | { kind: 'close' };
export type FromWriter = Outcome | { kind: 'ready' } | { kind: 'refused'; code: ErrorCode; message: string };

export const EXPECT_CHANGED = 1;
export const EXPECT_NONE = 2;
export const RETURNS = 4;

export const flagsOf = (statement: Statement): number =>
  (statement.expect === undefined ? 0 : statement.expect === 'changed' ? EXPECT_CHANGED : EXPECT_NONE) |
  (statement.returns ? RETURNS : 0);
