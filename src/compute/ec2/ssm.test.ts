import { describe, expect, it } from 'vitest';
import { executionTimeoutS, startComment, stopComment, verdictOf } from './ssm.ts';

const of = (status: string, statusDetails = status, responseCode = -1) =>
  verdictOf({ status, statusDetails, responseCode });

describe('the status of a command (E5)', () => {
  it.each(['Pending', 'InProgress', 'Delayed', 'Cancelling'])('%s is running', (status) => {
    expect(of(status)).toEqual({ kind: 'running' });
  });

  it('Success is exit code 0', () => {
    expect(of('Success', 'Success', 0)).toMatchObject({ kind: 'ended', exitCode: 0 });
  });

  it.each([
    ['Failed', 'Failed', 3, 'exit code 3'],
    ['Failed', 'Failed', 77, /refused the start/],
    ['Failed', 'Failed', 66, /payload was gone/],
    ['Failed', 'Failed', 69, /public_url/],
  ])(
    '%s with an exit code of the program’s own proves that it has ended',
    (status, details, code, reason) => {
      expect(of(status, details, code)).toMatchObject({
        kind: 'ended',
        exitCode: code,
        interrupted: false,
        reason: expect.stringMatching(reason),
      });
    },
  );

  it('tells a session that a Spot notice ended', () => {
    expect(of('Failed', 'Failed', 83)).toMatchObject({ kind: 'ended', interrupted: true });
  });

  it.each([
    ['Failed', 'Failed', 137, 'Failed'],
    ['Failed', 'Failed', -1, 'Failed'],
    ['Failed', 'Undeliverable', -1, 'Undeliverable'],
    ['Cancelled', 'Cancelled', -1, 'Cancelled'],
    ['Cancelled', 'Terminated', -1, 'Terminated'],
    ['TimedOut', 'Delivery Timed Out', -1, 'DeliveryTimedOut'],
    ['TimedOut', 'Execution Timed Out', 5, 'ExecutionTimedOut'],
    ['Failed', 'Invalid Platform', -1, 'InvalidPlatform'],
    ['Failed', 'Access Denied', -1, 'AccessDenied'],
  ])('%s (%s, %i) proves nothing about the container', (status, details, code, shown) => {
    expect(of(status, details, code)).toEqual({
      kind: 'ended',
      exitCode: null,
      interrupted: false,
      reason: `the command ended as ${shown}`,
    });
  });

  it('anything new is named, and nothing is concluded from it', () => {
    expect(of('Paused')).toEqual({ kind: 'unknown', status: 'Paused' });
  });
});

describe('a command', () => {
  it('carries task and epoch in its comment, within what is allowed', () => {
    const session = { taskId: '01ARZ3NDEKTSV4RRFFQ69G5FAV', attempt: 999_999 };
    expect(startComment(session)).toBe('bgagent start 01ARZ3NDEKTSV4RRFFQ69G5FAV-999999');
    expect(startComment(session).length).toBeLessThanOrEqual(100);
    expect(stopComment(session)).not.toBe(startComment(session));
  });

  it.each([
    [-5_000, '5'],
    [1, '5'],
    [3_600_001, '3601'],
    [9e9, '172800'],
  ])('may run for %i ms as whole seconds that are allowed (E4)', (ms, text) => {
    expect(executionTimeoutS(ms)).toBe(text);
  });
});
