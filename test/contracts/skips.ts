import { afterAll, it } from 'vitest';

/** Tests of a contract that an implementation doesn't pass, and why. */
export interface Skip {
  /** What the implementation lacks, printed beside the skipped test. */
  reason: string;
  /** Names of tests. */
  tests: readonly string[];
}

/**
 * `it` for a contract suite: skips what the implementation declares, with its reason in the test's name.
 * A skip without a reason, or of a test that the suite doesn't have, fails.
 */
export function testsWithSkips(
  skips: readonly Skip[],
): (name: string, run: () => void | Promise<void>) => void {
  const reasons = new Map(skips.flatMap(({ reason, tests }) => tests.map((test) => [test, reason] as const)));
  for (const [test, reason] of reasons)
    if (!reason.trim()) throw new Error(`the skip of "${test}" has no reason`);
  const unused = new Set(reasons.keys());
  afterAll(() => {
    if (unused.size > 0) throw new Error(`skips of tests that are not there: ${[...unused].join(', ')}`);
  });
  return (name, run) => {
    const reason = reasons.get(name);
    unused.delete(name);
    if (reason === undefined) it(name, run);
    else it.skip(`${name} (skipped: ${reason})`, run);
  };
}
