import type { Payload } from '../../task/protocol.ts';
import {
  CHECKS,
  type CheckName,
  type CheckResult,
  regressions,
  type Verdict,
} from '../../task/verification.ts';
import { type CommandEnd, inertReason } from './inert.ts';

/** What one command said at one time. */
export interface CheckRun {
  verdict: Verdict;
  /** Null when it passed. */
  reason: string | null;
  tail: string;
}
export type CheckRuns = Partial<Record<CheckName, CheckRun>>;

export const hasChecks = (commands: Payload['commands']): boolean =>
  CHECKS.some((check) => commands[check] !== null);

/** Runs the repository's own commands, one after the other. */
export async function runChecks(
  commands: Payload['commands'],
  timeoutS: number,
  run: (commandLine: string, timeoutMs: number) => Promise<CommandEnd>,
): Promise<CheckRuns> {
  const runs: CheckRuns = {};
  for (const check of CHECKS) {
    const commandLine = commands[check];
    if (commandLine !== null) runs[check] = judge(await run(commandLine, timeoutS * 1_000), timeoutS);
  }
  return runs;
}

export function judge(end: CommandEnd, timeoutS: number): CheckRun {
  const { code, timedOut, tail } = end;
  if (timedOut) return { verdict: 'failed', reason: `timed out after ${timeoutS} s`, tail };
  const inert = inertReason(end);
  if (inert !== undefined) return { verdict: 'not_verified', reason: inert, tail };
  if (code === 0) return { verdict: 'passed', reason: null, tail };
  return { verdict: 'failed', reason: code === null ? 'it was killed' : `exit code ${code}`, tail };
}

/** Characters of output that a result carries. */
const TAIL_LENGTH = 2_000;

/** Before and after. What is gone after the work has got worse as much as what fails. */
export function compare(before: CheckRuns, after: CheckRuns): CheckResult[] {
  return CHECKS.flatMap((check) => {
    const run = after[check];
    if (!run) return [];
    const baseline = before[check]?.verdict ?? 'not_verified';
    return {
      check,
      before: baseline,
      after: run.verdict,
      regressed: baseline === 'passed' && run.verdict !== 'passed',
      reason: run.reason,
      output_tail: run.verdict === 'passed' ? null : run.tail.slice(-TAIL_LENGTH),
    };
  });
}

/**
 * In the task's two fields. The build's verdict is also the tests': failing tests turn it to false; passing ones stand for it only
 * where there is no build command. Null = not verified.
 */
export function verdicts(results: readonly CheckResult[]): {
  build_passed: boolean | null;
  lint_passed: boolean | null;
} {
  const passed = (name: CheckName): boolean | null | undefined => {
    const result = results.find(({ check }) => check === name);
    if (!result) return undefined;
    if (result.regressed || result.after === 'failed') return false;
    return result.after === 'passed' ? true : null;
  };
  const [build, test] = [passed('build'), passed('test')];
  return {
    build_passed: build === false || test === false ? false : ((build === undefined ? test : build) ?? null),
    lint_passed: passed('lint') ?? null,
  };
}

/** The regressions in words for people, without an end; undefined when there are none. */
export function regressionText(results: readonly CheckResult[]): string | undefined {
  const worse = regressions(results).map(({ check, after, reason }) =>
    after === 'failed'
      ? `${check} passed before it and fails after it (${reason})`
      : `${check} passed before it and can not be verified after it (${reason})`,
  );
  return worse.length === 0 ? undefined : `The work made the verification worse: ${worse.join('; ')}.`;
}
