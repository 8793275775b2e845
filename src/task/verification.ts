import { z } from 'zod';

/** What the repository's own commands say of the work: each is run before it and after it, and what counts is the difference. */

export const CHECKS = ['build', 'lint', 'test'] as const;
export type CheckName = (typeof CHECKS)[number];

/** `not_verified`: the command isn't there, or had nothing to check. That is no success. */
const verdictSchema = z.enum(['passed', 'failed', 'not_verified']);
export type Verdict = z.infer<typeof verdictSchema>;

export const checkResultSchema = z.object({
  check: z.enum(CHECKS),
  before: verdictSchema,
  after: verdictSchema,
  /** It passed before the work and doesn't any more. */
  regressed: z.boolean(),
  /** Why it didn't pass after the work; null when it did. */
  reason: z.string().nullable(),
  /** The end of what it printed after the work, when it didn't pass; secrets redacted. */
  output_tail: z.string().nullable(),
});
export type CheckResult = z.infer<typeof checkResultSchema>;

/** What passed before the work and doesn't any more. */
export const regressions = (results: readonly CheckResult[]): CheckResult[] =>
  results.filter(({ regressed }) => regressed);

/**
 * Whether the work made anything worse than it was before; false when nothing was verified. `build_passed` can't tell: it is
 * also false for a build that was broken already.
 */
export const regressed = (verification: readonly CheckResult[] | null): boolean =>
  regressions(verification ?? []).length > 0;
