import { describe, expect, it } from 'vitest';
import { type CheckResult, regressed, regressions, type Verdict } from './verification.ts';

const result = (before: Verdict, after: Verdict, worse: boolean): CheckResult => ({
  check: 'build',
  before,
  after,
  regressed: worse,
  reason: null,
  output_tail: null,
});

describe('a verification', () => {
  it('has got worse when something that passed before does not any more', () => {
    const broken = result('passed', 'failed', true);
    expect(regressed([result('passed', 'passed', false), broken])).toBe(true);
    expect(regressions([result('passed', 'passed', false), broken])).toEqual([broken]);
  });

  it('has not got worse where it failed before, or where nothing was verified', () => {
    expect(regressed([result('failed', 'failed', false)])).toBe(false);
    expect(regressed([])).toBe(false);
    expect(regressed(null)).toBe(false);
  });
});
