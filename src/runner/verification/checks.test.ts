import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../task/verification.ts';
import { type CheckRun, compare, judge, regressionText, runChecks, verdicts } from './checks.ts';

const run = (verdict: Verdict): CheckRun => ({
  verdict,
  reason: verdict === 'passed' ? null : 'exit code 1',
  tail: 'what it printed',
});

describe('a verification', () => {
  it.each<[before: Verdict, after: Verdict, regressed: boolean, build: boolean | null]>([
    ['passed', 'passed', false, true],
    ['passed', 'failed', true, false],
    ['passed', 'not_verified', true, false],
    ['failed', 'passed', false, true],
    ['failed', 'failed', false, false],
    ['failed', 'not_verified', false, null],
    ['not_verified', 'passed', false, true],
    ['not_verified', 'failed', false, false],
    ['not_verified', 'not_verified', false, null],
  ])('that was %s and is %s: regressed %s, build_passed %s (T6)', (before, after, regressed, build) => {
    const results = compare({ build: run(before) }, { build: run(after) });
    expect(results).toMatchObject([{ check: 'build', before, after, regressed }]);
    expect(verdicts(results)).toEqual({ build_passed: build, lint_passed: null });
    expect(regressionText(results) === undefined).toBe(!regressed);
  });

  it.each<[build: Verdict | undefined, test: Verdict | undefined, passed: boolean | null]>([
    [undefined, undefined, null],
    ['passed', 'failed', false],
    ['failed', 'passed', false],
    ['passed', 'not_verified', true],
    ['not_verified', 'passed', null],
    [undefined, 'passed', true],
    [undefined, 'not_verified', null],
  ])('with build %s and test %s has build_passed %s', (build, test, passed) => {
    const after = { ...(build ? { build: run(build) } : {}), ...(test ? { test: run(test) } : {}) };
    expect(verdicts(compare(after, after)).build_passed).toBe(passed);
  });

  it.each([
    [{ code: 0, timedOut: false, tail: '' }, 'passed', null],
    [{ code: 3, timedOut: false, tail: '' }, 'failed', 'exit code 3'],
    [{ code: null, timedOut: false, tail: '' }, 'failed', 'it was killed'],
    [{ code: null, timedOut: true, tail: '' }, 'failed', 'timed out after 7 s'],
    [{ code: 127, timedOut: false, tail: '' }, 'not_verified', 'the command was not found'],
  ])('of a command that ended with %j has %s', (end, verdict, reason) => {
    expect(judge(end, 7)).toMatchObject({ verdict, reason });
  });

  it('runs what there is, in order, and says what got worse', async () => {
    const ran: string[] = [];
    const before = await runChecks({ setup: 'x', build: 'b', lint: null, test: 't' }, 7, async (line, ms) => {
      ran.push(`${line} ${ms}`);
      return { code: 0, timedOut: false, tail: '' };
    });
    expect(ran).toEqual(['b 7000', 't 7000']);
    const results = compare(before, { build: run('passed'), test: run('failed') });
    expect(results.map(({ output_tail }) => output_tail)).toEqual([null, 'what it printed']);
    expect(regressionText(results)).toBe(
      'The work made the verification worse: test passed before it and fails after it (exit code 1).',
    );
  });
});
