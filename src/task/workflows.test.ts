import { describe, expect, it } from 'vitest';
import { resolveWorkflow } from './workflows.ts';

describe('a workflow', () => {
  it.each([
    [undefined, 'coding/new-task-v1'],
    [null, 'coding/new-task-v1'],
    ['new_task', 'coding/new-task-v1'],
    ['pr_iteration', 'coding/pr-iteration-v1'],
    ['pr_review', 'coding/pr-review-v1'],
    ['coding/pr-review-v1', 'coding/pr-review-v1'],
    ['coding/new-task-v1@1', 'coding/new-task-v1'],
    ['coding/new-task-v1@1.0', 'coding/new-task-v1'],
    ['coding/new-task-v1@1.0.0', 'coding/new-task-v1'],
    ['coding/new-task-v1@^1.0.0', 'coding/new-task-v1'],
    ['new_task@~1', 'coding/new-task-v1'],
  ])('is found by %s (R1)', (reference, id) => {
    expect(resolveWorkflow(reference).id).toBe(id);
  });

  it('pushes nothing when it only reviews (R1)', () => {
    expect(['new_task', 'pr_iteration', 'pr_review'].map((name) => resolveWorkflow(name).readOnly)).toEqual([
      false,
      false,
      true,
    ]);
  });

  it.each(['', 'coding/other', 'constructor', '__proto__', 'toString@1', 'NEW_TASK', ' new_task'])(
    'is not %j: the error names the field and what there is',
    (reference) => {
      expect(() => resolveWorkflow(reference)).toThrow(
        expect.objectContaining({
          code: 'VALIDATION_ERROR',
          field: 'workflow_ref',
          message: expect.stringContaining('coding/new-task-v1'),
        }),
      );
    },
  );

  it.each(['new_task@2', 'new_task@1.1', 'new_task@10', 'new_task@', 'new_task@*', 'new_task@1@1'])(
    'has no version for %s',
    (reference) => {
      expect(() => resolveWorkflow(reference)).toThrow(
        expect.objectContaining({ code: 'VALIDATION_ERROR', message: expect.stringContaining('1.0.0') }),
      );
    },
  );
});
