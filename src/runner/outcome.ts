import { codeOf, type ErrorCode, messageOf } from '../task/errors.ts';
import type { OutcomeReport } from '../task/protocol.ts';
import type { Stop } from './stop.ts';

export interface Failure {
  code: ErrorCode;
  message: string;
}

export const emptyOutcome = (): OutcomeReport => ({
  result: 'failed',
  outcome: null,
  summary: null,
  branch_name: null,
  head_sha: null,
  partial: false,
  diff_stat: null,
  diff: null,
  diff_truncated: false,
  build_passed: null,
  lint_passed: null,
  verification: null,
  review: null,
  rebased_onto: null,
  turns_attempted: null,
  turns_completed: null,
  cost_usd: null,
  error: null,
  timings: { clone_ms: null, agent_ms: null, verify_ms: null, push_ms: null },
});

/** The reason that counts: a stop explains whatever came after it. */
export function failureOf({ reason }: Pick<Stop, 'reason'>, error: unknown): Failure {
  if (reason?.kind === 'cancelled')
    return { code: 'CANCELLED_BY_USER', message: 'the task was cancelled while it ran' };
  if (reason?.kind === 'timed-out')
    return { code: 'DEADLINE_REACHED', message: 'the deadline was reached while the agent worked' };
  if (reason?.kind === 'quota') return { code: 'DISK_QUOTA_EXCEEDED', message: reason.message };
  if (reason?.kind === 'resources') return { code: 'AGENT_RESOURCES_EXCEEDED', message: reason.message };
  if (reason?.kind === 'turn-limit') return { code: 'TURN_LIMIT_REACHED', message: reason.message };
  if (reason?.kind === 'budget') return { code: 'BUDGET_REACHED', message: reason.message };
  return { code: codeOf(error, 'RUNNER_ERROR'), message: messageOf(error) };
}

const RESULTS = {
  cancelled: 'cancelled',
  'timed-out': 'timed_out',
  quota: 'failed',
  resources: 'failed',
  'turn-limit': 'turn_limit',
  budget: 'budget',
  unwanted: 'failed',
} as const;
const MESSAGE_LENGTH = 2_000;

export function fail(
  outcome: OutcomeReport,
  { reason }: Pick<Stop, 'reason'>,
  { code, message }: Failure,
): void {
  outcome.result = reason ? RESULTS[reason.kind] : 'failed';
  outcome.outcome = null;
  outcome.error = { code, message: message.slice(0, MESSAGE_LENGTH) };
}
