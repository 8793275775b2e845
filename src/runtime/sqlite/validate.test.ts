import type { Operation, OperationUpdate } from '@aws/durable-execution-sdk-js';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from './limits.ts';
import { validateUpdates } from './validate.ts';

type Known = Pick<Operation, 'Type' | 'Status'>;
type Update = Partial<OperationUpdate>;

const known = (Type: NonNullable<Known['Type']>, Status: NonNullable<Known['Status']>): Known => ({
  Type,
  Status,
});
const StepOptions = { NextAttemptDelaySeconds: 1 };

const refuses: [why: string, update: Update, present?: Known][] = [
  ['no id', { Id: undefined, Type: 'STEP', Action: 'START' }],
  ['an action that the type lacks', { Type: 'WAIT', Action: 'SUCCEED' }, known('WAIT', 'STARTED')],
  ['an unknown type', { Type: 'DREAM' as never, Action: 'START' }],
  ['a start of what has started', { Type: 'STEP', Action: 'START' }, known('STEP', 'STARTED')],
  ['a start before the delay is over', { Type: 'STEP', Action: 'START' }, known('STEP', 'PENDING')],
  ['a second wait', { Type: 'WAIT', Action: 'START' }, known('WAIT', 'STARTED')],
  ['a second callback', { Type: 'CALLBACK', Action: 'START' }, known('CALLBACK', 'SUCCEEDED')],
  ['an end of what has ended', { Type: 'STEP', Action: 'SUCCEED' }, known('STEP', 'SUCCEEDED')],
  ['an end of a context that has ended', { Type: 'CONTEXT', Action: 'FAIL' }, known('CONTEXT', 'FAILED')],
  ['a retry without a delay', { Type: 'STEP', Action: 'RETRY' }, known('STEP', 'STARTED')],
  ['a failure with a payload', { Type: 'STEP', Action: 'FAIL', Payload: '1' }, known('STEP', 'STARTED')],
  ['a success with an error', { Type: 'STEP', Action: 'SUCCEED', Error: {} }, known('STEP', 'STARTED')],
  ['a cancel of what is not there', { Type: 'WAIT', Action: 'CANCEL' }],
  ['a parent that is not there', { Type: 'STEP', Action: 'START', ParentId: 'nobody' }],
];

const accepts: [what: string, update: Update, present?: Known][] = [
  ['a start', { Type: 'STEP', Action: 'START' }],
  ['a start when the delay is over', { Type: 'STEP', Action: 'START' }, known('STEP', 'READY')],
  ['a success without a start', { Type: 'STEP', Action: 'SUCCEED', Payload: '1' }],
  ['a failure', { Type: 'STEP', Action: 'FAIL', Error: {} }, known('STEP', 'READY')],
  ['a retry', { Type: 'STEP', Action: 'RETRY', StepOptions }, known('STEP', 'STARTED')],
  ['a cancel', { Type: 'WAIT', Action: 'CANCEL' }, known('WAIT', 'STARTED')],
  ['the end of the execution', { Type: 'EXECUTION', Action: 'SUCCEED' }],
];

const check = (updates: Update[], present?: Known): void =>
  validateUpdates(updates as OperationUpdate[], new Map(present ? [['a', present]] : []), DEFAULT_LIMITS);

describe('a checkpoint', () => {
  it.each(refuses)('is refused for %s', (_, update, present) => {
    expect(() => check([{ Id: 'a', ...update }], present)).toThrow(
      expect.objectContaining({ code: 'INVALID_CHECKPOINT' }),
    );
  });

  it.each(accepts)('may hold %s', (_, update, present) => {
    expect(() => check([{ Id: 'a', ...update }], present)).not.toThrow();
  });

  it('may start and end a step, and its parent, at once', () => {
    const parent = { Id: 'p', Type: 'CONTEXT', Action: 'START' } as const;
    const step = { Id: 'a', Type: 'STEP', ParentId: 'p' } as const;
    expect(() => check([parent, { ...step, Action: 'START' }, { ...step, Action: 'SUCCEED' }])).not.toThrow();
    expect(() => check([{ ...step, Action: 'START' }, parent])).toThrow(/parent/);
  });

  it('may not update an operation twice otherwise', () => {
    const step = { Id: 'a', Type: 'STEP' } as const;
    expect(() =>
      check([
        { ...step, Action: 'SUCCEED' },
        { ...step, Action: 'FAIL' },
      ]),
    ).toThrow(/twice/);
    expect(() =>
      check([
        { Id: 'a', Type: 'WAIT', Action: 'START' },
        { Id: 'a', Type: 'WAIT', Action: 'CANCEL' },
      ]),
    ).toThrow(/twice/);
  });

  it('has the end of the execution last', () => {
    const end = { Id: 'e', Type: 'EXECUTION', Action: 'SUCCEED' } as const;
    expect(() => check([end, { Id: 'a', Type: 'STEP', Action: 'START' }])).toThrow(/last/);
  });

  it('may not hold an error or a payload that is too large, counted in bytes', () => {
    const step = { Id: 'a', Type: 'STEP' } as const;
    const tooLarge = expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' });
    const succeed = (Payload: string) => () => check([{ ...step, Action: 'SUCCEED', Payload }]);
    expect(succeed('x'.repeat(262_144))).not.toThrow();
    expect(succeed('x'.repeat(262_145))).toThrow(tooLarge);
    expect(succeed('ä'.repeat(131_073))).toThrow(tooLarge);
    expect(() => check([{ ...step, Action: 'FAIL', Error: { ErrorMessage: 'x'.repeat(32_768) } }])).toThrow(
      tooLarge,
    );
  });
});
