import { describe, expect, it } from 'vitest';
import { BgAgentError, classify, codeOf, ERRORS, isErrorCode, messageOf } from './errors.ts';

describe('the catalogue of errors', () => {
  it.each(Object.entries(ERRORS))('%s has a title, and a remedy in whole sentences (T7)', (code, entry) => {
    expect(code).toMatch(/^[A-Z][A-Z_]+[A-Z]$/);
    expect(entry.title).toMatch(/^[A-Z].*[^.]$/);
    expect(entry.remedy).toMatch(/^[A-Z/].*\.$/);
  });

  it('knows its own codes only', () => {
    expect(isErrorCode('TASK_NOT_FOUND')).toBe(true);
    expect(isErrorCode('toString')).toBe(false);
  });
});

describe('an error', () => {
  it('carries code, field, cause, and whether a retry can help', () => {
    const cause = new Error('ECONNRESET');
    const error = new BgAgentError('REPO_UNREACHABLE', 'no answer', {
      cause,
      field: 'repo',
      retryAfterSeconds: 5,
    });
    expect(error).toMatchObject({
      name: 'BgAgentError',
      code: 'REPO_UNREACHABLE',
      message: 'no answer',
      field: 'repo',
      retryAfterSeconds: 5,
      retryable: true,
      cause,
    });
    expect(new BgAgentError('VALIDATION_ERROR', 'x').retryable).toBe(false);
    expect('cause' in new BgAgentError('VALIDATION_ERROR', 'x')).toBe(false);
  });

  it('becomes what the task’s record says of it (T7)', () => {
    expect(classify('NO_CAPACITY', '2 of 2 sessions are in use')).toEqual({
      category: 'compute',
      title: ERRORS.NO_CAPACITY.title,
      description: '2 of 2 sessions are in use',
      remedy: ERRORS.NO_CAPACITY.remedy,
      retryable: true,
      errorClass: 'NO_CAPACITY',
    });
  });

  it('has a code and a message whatever was thrown', () => {
    expect(codeOf(new BgAgentError('FORBIDDEN', 'no'))).toBe('FORBIDDEN');
    expect(codeOf(new TypeError('x'))).toBe('INTERNAL_ERROR');
    expect(codeOf('text', 'RUNNER_ERROR')).toBe('RUNNER_ERROR');
    expect([new Error('a'), 'b', undefined].map(messageOf)).toEqual(['a', 'b', 'undefined']);
  });
});
