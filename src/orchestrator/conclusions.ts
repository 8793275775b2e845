import type { TaskPatch } from '../stores/task-store.ts';
import { classify, ERRORS, type ErrorCode, isErrorCode } from '../task/errors.ts';
import type { NewEvent } from '../task/events.ts';
import type { OutcomeReport } from '../task/protocol.ts';
import { TERMINAL_EVENT, type TerminalStatus } from '../task/status.ts';
import { LIMITS, type Task } from '../task/task.ts';
import type { StopReason } from './decisions.ts';

/** How a task ends: its status, what its record says, and its one terminal event. */
export interface Conclusion {
  status: TerminalStatus;
  patch: TaskPatch;
  event: NewEvent;
}

/**
 * The truthful end of a task whose session has reported, or has been stopped. `remoteHead` is what the forge says of the
 * branch; a success that the forge does not confirm is none.
 */
export function conclude(
  task: Task,
  outcome: OutcomeReport | undefined,
  stop: StopReason | null,
  remoteHead: string | null,
): Conclusion {
  if (!outcome) return withoutReport(task, stop);
  const patch = reportPatch(task, outcome);
  if (outcome.result === 'changes') {
    if (outcome.head_sha === null || outcome.head_sha !== remoteHead) {
      const found = remoteHead === null ? 'the branch is not there' : `the branch is at ${remoteHead}`;
      return failed(
        task,
        'FAILED',
        'OUTCOME_NOT_VERIFIED',
        `the runner reported ${outcome.head_sha ?? 'no commit'}, but ${found}`,
        patch,
      );
    }
    return completed(task, 'changes', patch);
  }
  if (outcome.result === 'no_changes')
    return completed(task, outcome.outcome === 'review' ? 'review' : 'no_changes', patch);
  if (outcome.result === 'timed_out' || stop === 'timed_out')
    return failed(
      task,
      'TIMED_OUT',
      'DEADLINE_REACHED',
      `the deadline of ${task.deadline_s} s was reached`,
      patch,
    );
  if (outcome.result === 'cancelled' && (stop === 'cancelled' || task.cancel_requested_at !== null))
    return failed(task, 'CANCELLED', 'CANCELLED_BY_USER', cancelledMessage(outcome), patch);
  if (outcome.result === 'turn_limit')
    return failed(
      task,
      'FAILED',
      'TURN_LIMIT_REACHED',
      outcome.error?.message ?? `the cap of ${task.max_turns} turns was reached`,
      patch,
    );
  if (outcome.result === 'budget')
    return failed(
      task,
      'FAILED',
      'BUDGET_REACHED',
      outcome.error?.message ?? `the budget of $${task.max_budget_usd} was reached`,
      patch,
    );
  if (stop === 'lost') return failed(task, 'FAILED', 'SESSION_LOST', 'agent session lost', patch);
  if (outcome.result === 'cancelled')
    return failed(task, 'FAILED', 'SESSION_EXITED', 'the agent session was ended from outside', patch);
  return failed(
    task,
    'FAILED',
    failureCode(outcome),
    outcome.error?.message ?? 'the runner gave no reason',
    patch,
  );
}

/** The end of a task whose work is good and on its branch, but could not be published: nothing of it is lost. */
export function concludeUnpublished(
  task: Task,
  outcome: OutcomeReport | undefined,
  code: ErrorCode,
  message: string,
): Conclusion {
  const status = code === 'CANCELLED_BY_USER' ? 'CANCELLED' : 'FAILED';
  const patch = outcome ? reportPatch(task, outcome) : {};
  return failed(task, status, code, message, patch, { finished: true });
}

/** The end of a task that never got, or has lost, its session. */
export function concludeFailure(task: Task, code: ErrorCode, message: string): Conclusion {
  if (code === 'CANCELLED_BY_USER') return failed(task, 'CANCELLED', code, message, {});
  return failed(task, 'FAILED', code, message, {});
}

function withoutReport(task: Task, stop: StopReason | null): Conclusion {
  if (stop === 'cancelled')
    return failed(
      task,
      'CANCELLED',
      'CANCELLED_BY_USER',
      'cancelled; the session ended without a report',
      {},
    );
  if (stop === 'timed_out')
    return failed(
      task,
      'TIMED_OUT',
      'DEADLINE_REACHED',
      `the deadline of ${task.deadline_s} s was reached`,
      {},
    );
  return failed(task, 'FAILED', 'SESSION_LOST', 'agent session lost: no heartbeat and no report', {});
}

function completed(task: Task, outcome: 'changes' | 'no_changes' | 'review', patch: TaskPatch): Conclusion {
  const full: TaskPatch = {
    ...patch,
    outcome,
    partial: false,
    waiting_for: null,
    error_message: null,
    error_classification: null,
  };
  // The branch of a pull request is there, whatever became of the task.
  if (outcome !== 'changes' && task.pr_number === null)
    Object.assign(full, { branch_name: null, compare_url: null });
  return {
    status: 'COMPLETED',
    patch: full,
    event: {
      type: 'task_completed',
      metadata: {
        outcome,
        branch_name: full.branch_name === undefined ? task.branch_name : full.branch_name,
        head_sha: patch.head_sha ?? null,
        build_passed: patch.build_passed ?? null,
      },
    },
  };
}

function failed(
  task: Task,
  status: Exclude<TerminalStatus, 'COMPLETED'>,
  code: ErrorCode,
  message: string,
  patch: TaskPatch,
  { finished = false }: { finished?: boolean } = {},
): Conclusion {
  const text = message.slice(0, LIMITS.errorMessage);
  const pushed = (patch.head_sha ?? task.head_sha) !== null;
  return {
    status,
    patch: {
      ...patch,
      partial: pushed && !finished,
      waiting_for: null,
      error_message: text,
      error_classification: classify(code, text),
    },
    event: {
      type: TERMINAL_EVENT[status],
      metadata: {
        error_code: code,
        error_message: text,
        remedy: ERRORS[code].remedy,
        retryable: ERRORS[code].retryable,
        partial: pushed && !finished,
        branch_name: pushed ? (patch.branch_name ?? task.branch_name) : null,
      },
    },
  };
}

/** What a runner's report says of its work, as the task's record has it. */
export const reportPatch = (task: Task, outcome: OutcomeReport) => ({
  // Not the pull request's branch where that could not take the work.
  ...(outcome.head_sha !== null && outcome.branch_name !== null ? { branch_name: outcome.branch_name } : {}),
  head_sha: outcome.head_sha,
  outcome_summary: outcome.summary,
  diff_stat: outcome.diff_stat,
  build_passed: outcome.build_passed,
  lint_passed: outcome.lint_passed,
  // Its output stays with the outcome: a task's record is read often.
  verification: outcome.verification?.map((result) => ({ ...result, output_tail: null })) ?? null,
  turns_attempted: outcome.turns_attempted,
  turns_completed: outcome.turns_completed,
  cost_usd: outcome.cost_usd,
  timings: { ...task.timings, ...outcome.timings },
});

/** A code of the catalogue as it is; anything else a runner says is the runner's failure. */
const failureCode = (outcome: OutcomeReport): ErrorCode => {
  const code = outcome.error?.code ?? 'RUNNER_ERROR';
  return isErrorCode(code) ? code : 'RUNNER_ERROR';
};

const cancelledMessage = (outcome: OutcomeReport): string =>
  outcome.head_sha === null
    ? 'cancelled; there was nothing to keep'
    : 'cancelled; what there was is on the branch';
