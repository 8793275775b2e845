import { executionName } from '../../task/task.ts';
import type { Invocation } from './cloud.ts';

/** What a command's status means for the session that it carries. */
export type Verdict =
  | { kind: 'running' }
  /** A status that this program does not know: nothing is concluded from it. */
  | { kind: 'unknown'; status: string }
  /** `exitCode` is null where the program on the instance did not end by itself: then its container may live on. */
  | { kind: 'ended'; exitCode: number | null; interrupted: boolean; reason: string };

/** How the program on the instance says that a Spot notice ended the session. */
const INTERRUPTED = 83;

/** What its other exit codes mean (`instance/bin/`); the runner's own are below 10. */
const EXIT_REASONS: Readonly<Record<number, string>> = {
  64: 'the program on the instance was called wrongly: its version is not that of the document',
  66: 'the payload was gone when the instance asked for it',
  67: 'the payload on the instance is not valid',
  69: 'the instance could not reach the platform: check the setting public_url, and port 443 of the security group',
  73: 'another session was still running on the instance',
  77: 'the platform refused the start: a newer attempt has taken over, or the task has ended',
  [INTERRUPTED]: 'AWS takes the Spot instance back',
};

/** Exit codes that only a program that ended by itself gives; 128 and more, or -1, is a killed one. */
const LAST_OWN_CODE = 125;

const RUNNING = new Set(['Pending', 'InProgress', 'Delayed', 'Cancelling']);
const FAILED = new Set(['Failed', 'Cancelled', 'TimedOut']);

/** The session's state by its command: a hint, which the runner's report and the instance's state overrule. */
export function verdictOf({ status, statusDetails, responseCode }: Invocation): Verdict {
  if (status === 'Success') return { kind: 'ended', exitCode: 0, interrupted: false, reason: 'exit code 0' };
  if (RUNNING.has(status)) return { kind: 'running' };
  if (!FAILED.has(status)) return { kind: 'unknown', status };
  const details = statusDetails.replaceAll(' ', '');
  if (status === 'Failed' && responseCode > 0 && responseCode <= LAST_OWN_CODE)
    return {
      kind: 'ended',
      exitCode: responseCode,
      interrupted: responseCode === INTERRUPTED,
      reason: EXIT_REASONS[responseCode] ?? `exit code ${responseCode}`,
    };
  return {
    kind: 'ended',
    exitCode: null,
    interrupted: false,
    reason: `the command ended as ${details || status}`,
  };
}

/** What a command carries, so that one whose answer was lost can be found. At most 100 characters. */
export const startComment = (session: { taskId: string; attempt: number }): string =>
  `bgagent start ${executionName(session.taskId, session.attempt)}`;
export const stopComment = (session: { taskId: string; attempt: number }): string =>
  `bgagent stop ${executionName(session.taskId, session.attempt)}`;

/** Longest run of a command that Systems Manager takes, and the shortest. */
const EXECUTION_LIMITS_S = { min: 5, max: 172_800 } as const;

/** `executionTimeout` of a command that must last until then: whole seconds, within what is allowed. */
export const executionTimeoutS = (remainingMs: number): string =>
  String(Math.min(EXECUTION_LIMITS_S.max, Math.max(EXECUTION_LIMITS_S.min, Math.ceil(remainingMs / 1_000))));
