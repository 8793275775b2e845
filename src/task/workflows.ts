import { BgAgentError } from './errors.ts';

export interface Workflow {
  id: string;
  version: string;
  /** A read-only workflow pushes nothing. */
  readOnly: boolean;
  /** What the request must carry, at least one of each inner list. */
  needs: readonly (readonly ('task_description' | 'issue_number' | 'pr_number')[])[];
}

const WORKFLOWS = {
  'coding/new-task-v1': {
    id: 'coding/new-task-v1',
    version: '1.0.0',
    readOnly: false,
    needs: [['task_description', 'issue_number']],
  },
  'coding/pr-iteration-v1': {
    id: 'coding/pr-iteration-v1',
    version: '1.0.0',
    readOnly: false,
    needs: [['pr_number']],
  },
  'coding/pr-review-v1': {
    id: 'coding/pr-review-v1',
    version: '1.0.0',
    readOnly: true,
    needs: [['pr_number']],
  },
} as const satisfies Record<string, Workflow>;

const ALIASES: Readonly<Record<string, keyof typeof WORKFLOWS>> = {
  new_task: 'coding/new-task-v1',
  pr_iteration: 'coding/pr-iteration-v1',
  pr_review: 'coding/pr-review-v1',
};

const DEFAULT_WORKFLOW = 'coding/new-task-v1';

/** A workflow by its id, alias, or id with a version constraint (`coding/new-task-v1@1`). Throws VALIDATION_ERROR. */
export function resolveWorkflow(reference: string | null | undefined): Workflow {
  const [name = '', ...constraints] = (reference ?? DEFAULT_WORKFLOW).split('@');
  const constraint = constraints.length === 0 ? undefined : constraints.join('@');
  const id = ALIASES[name] ?? name;
  const workflow = Object.hasOwn(WORKFLOWS, id) ? WORKFLOWS[id as keyof typeof WORKFLOWS] : undefined;
  if (!workflow) {
    const known = [...Object.keys(WORKFLOWS), ...Object.keys(ALIASES)].join(', ');
    throw new BgAgentError('VALIDATION_ERROR', `workflow_ref: no workflow "${name}"; known: ${known}`, {
      field: 'workflow_ref',
    });
  }
  const wanted = constraint?.replace(/^[\^~]/, '');
  if (wanted !== undefined && !(workflow.version === wanted || workflow.version.startsWith(`${wanted}.`))) {
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `workflow_ref: ${id} has version ${workflow.version}, not ${constraint}`,
      { field: 'workflow_ref' },
    );
  }
  return workflow;
}
