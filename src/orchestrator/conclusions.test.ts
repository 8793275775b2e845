import { describe, expect, it } from 'vitest';
import { anOutcome, HEAD } from '../../test/fixtures/outcome.ts';
import { aTask } from '../../test/fixtures/task.ts';
import { EVENTS } from '../task/events.ts';
import { TERMINAL_EVENT } from '../task/status.ts';
import { regressed } from '../task/verification.ts';
import { type Conclusion, conclude, concludeFailure } from './conclusions.ts';

const task = aTask({ status: 'RUNNING', branch_name: 'bgagent/01ARZ3NDEKTSV4RRFFQ69G5FAV/add-a-greeting' });
const cancelled = { ...task, cancel_requested_at: '2030-01-01T00:01:00.000Z' };
const codeOf = (conclusion: Conclusion) => conclusion.patch.error_classification?.errorClass ?? null;

describe('conclude', () => {
  it.each([
    ['a pushed change that the forge confirms', task, anOutcome(), null, HEAD, 'COMPLETED', null],
    [
      'a pushed change that the forge does not have',
      task,
      anOutcome(),
      null,
      null,
      'FAILED',
      'OUTCOME_NOT_VERIFIED',
    ],
    [
      'a branch that somebody moved',
      task,
      anOutcome(),
      null,
      'b'.repeat(40),
      'FAILED',
      'OUTCOME_NOT_VERIFIED',
    ],
    [
      'a success without a commit',
      task,
      anOutcome({ head_sha: null }),
      null,
      null,
      'FAILED',
      'OUTCOME_NOT_VERIFIED',
    ],
    [
      'nothing to do',
      task,
      anOutcome({ result: 'no_changes', outcome: 'no_changes', head_sha: null }),
      null,
      null,
      'COMPLETED',
      null,
    ],
    ['work that ended just before the cancel', cancelled, anOutcome(), 'cancelled', HEAD, 'COMPLETED', null],
    [
      'a cancel with kept work',
      cancelled,
      anOutcome({ result: 'cancelled', partial: true }),
      'cancelled',
      HEAD,
      'CANCELLED',
      'CANCELLED_BY_USER',
    ],
    ['a cancel without a report', cancelled, undefined, 'cancelled', null, 'CANCELLED', 'CANCELLED_BY_USER'],
    [
      'a runner that was ended by somebody else',
      task,
      anOutcome({ result: 'cancelled' }),
      null,
      HEAD,
      'FAILED',
      'SESSION_EXITED',
    ],
    [
      'the deadline',
      task,
      anOutcome({ result: 'timed_out', partial: true }),
      null,
      HEAD,
      'TIMED_OUT',
      'DEADLINE_REACHED',
    ],
    ['the deadline without a report', task, undefined, 'timed_out', null, 'TIMED_OUT', 'DEADLINE_REACHED'],
    ['a lost session', task, undefined, 'lost', null, 'FAILED', 'SESSION_LOST'],
    [
      'the turn cap',
      task,
      anOutcome({ result: 'turn_limit', partial: true }),
      null,
      HEAD,
      'FAILED',
      'TURN_LIMIT_REACHED',
    ],
    [
      'the budget',
      task,
      anOutcome({ result: 'budget', partial: true }),
      null,
      HEAD,
      'FAILED',
      'BUDGET_REACHED',
    ],
    [
      'a failure with a code of ours',
      task,
      anOutcome({ result: 'failed', error: { code: 'PUSH_REJECTED', message: 'denied' } }),
      null,
      HEAD,
      'FAILED',
      'PUSH_REJECTED',
    ],
    [
      'a failure with a code that nobody knows',
      task,
      anOutcome({ result: 'failed', error: { code: 'toString', message: 'odd' } }),
      null,
      HEAD,
      'FAILED',
      'RUNNER_ERROR',
    ],
  ] as const)('%s', (_name, of, outcome, stop, remoteHead, status, code) => {
    const conclusion = conclude(of, outcome, stop, remoteHead);
    expect(conclusion.status).toBe(status);
    expect(codeOf(conclusion)).toBe(code);
    expect(conclusion.event.type).toBe(TERMINAL_EVENT[status]);
    expect(EVENTS[conclusion.event.type].metadata.safeParse(conclusion.event.metadata).success).toBe(true);
  });

  it('says that unfinished work is on the branch, where it is', () => {
    expect(
      conclude(cancelled, anOutcome({ result: 'cancelled', partial: true }), 'cancelled', HEAD).patch.partial,
    ).toBe(true);
    expect(
      conclude(cancelled, anOutcome({ result: 'cancelled', head_sha: null }), 'cancelled', null).patch
        .partial,
    ).toBe(false);
  });

  it('claims no branch when nothing was pushed', () => {
    const { patch } = conclude(
      task,
      anOutcome({ result: 'no_changes', outcome: 'no_changes', head_sha: null }),
      null,
      null,
    );
    expect(patch).toMatchObject({ outcome: 'no_changes', branch_name: null });
  });

  it('keeps what was verified, without the output', () => {
    const broken = {
      check: 'test',
      before: 'passed',
      after: 'failed',
      regressed: true,
      reason: 'exit code 1',
      output_tail: 'a lot',
    } as const;
    const { patch } = conclude(task, anOutcome({ verification: [broken] }), null, HEAD);
    expect(patch.verification).toEqual([{ ...broken, output_tail: null }]);
    expect(regressed(patch.verification ?? null)).toBe(true);
  });

  it('keeps a failure message within its limit', () => {
    expect(concludeFailure(task, 'REPO_UNREACHABLE', 'x'.repeat(5_000)).patch.error_message).toHaveLength(
      2_000,
    );
  });
});
