import { describe, expect, it } from 'vitest';
import { createWorkflows, type Workflow, workflowSchema } from './workflows.ts';

const { resolve: resolveWorkflow } = createWorkflows();

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
    expect(['new_task', 'pr_iteration', 'pr_review'].map((name) => resolveWorkflow(name).read_only)).toEqual([
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

const OWN: Workflow = workflowSchema.parse({
  id: 'docs/update-readme-v1',
  version: '1.0.0',
  aliases: ['update_readme'],
  summary: 'Bring the README up to date.',
  prompt: 'Compare the README with the code and correct what is not so any more.',
});

describe('a workflow of the deployment', () => {
  it('is found beside those that are built in', () => {
    const workflows = createWorkflows([OWN]);
    expect(workflows.resolve('update_readme@1')).toBe(OWN);
    expect(workflows.resolve(null).id).toBe('coding/new-task-v1');
    expect(workflows.all).toHaveLength(4);
  });

  it('may not take a name that is taken', () => {
    const again = { ...OWN, id: 'docs/other-v1', aliases: ['new_task'] };
    expect(() => createWorkflows([again])).toThrow('two workflows have the name new_task');
  });

  it.each([
    [
      'a review that could push',
      { outcome: 'review', branch: 'pull_request', needs: [['pr_number']] },
      'outcome',
    ],
    ['a read-only one that leaves a branch', { read_only: true }, 'outcome'],
    ['the same pull request from a new branch', { outcome: 'same_pull_request' }, 'branch'],
    ['a pull request that nobody names', { hydrates: ['pull_request'] }, 'needs'],
    ['an id of another form', { id: 'Update README' }, 'id'],
    ['a field that is not known', { push_to: 'main' }, 'Unrecognized'],
  ])('can not be %s', (_what, fields, where) => {
    const { error } = workflowSchema.safeParse({ ...OWN, ...fields });
    const [issue] = error?.issues ?? [];
    expect(`${issue?.path.join('.')} ${issue?.message}`).toContain(where);
  });
});
