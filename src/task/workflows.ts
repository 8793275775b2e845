import { z } from 'zod';
import { BUILT_IN_WORKFLOWS } from './built-in-workflows.ts';
import { BgAgentError } from './errors.ts';

/** Inputs that a request can carry. */
const INPUTS = ['task_description', 'issue_number', 'pr_number'] as const;
type Input = (typeof INPUTS)[number];

/** What of the repository's own commands is run around the agent: `repair` is the one chance to mend what `verify` found worse. */
export const WORKFLOW_STEPS = ['setup', 'verify', 'repair'] as const;

export const WORKFLOW_OUTCOMES = ['pull_request', 'same_pull_request', 'review'] as const;

/** A kind of work, as data: nothing else in the platform knows which workflows there are. */
export const workflowSchema = z
  .strictObject({
    id: z
      .string()
      .max(100)
      .regex(/^[a-z0-9-]+\/[a-z0-9-]+-v\d+$/, 'must look like `area/what-it-does-v1`'),
    version: z.string().regex(/^\d+\.\d+\.\d+$/, 'must look like `1.0.0`'),
    /** Short names under which it's asked for, too. */
    aliases: z.array(z.string().regex(/^[a-z0-9_]{1,50}$/, 'must be of a-z, 0-9 and _')).default([]),
    /** One sentence for people. */
    summary: z.string().min(1).max(300),
    /** Nothing is committed or pushed; what the agent changes is thrown away. */
    read_only: z.boolean().default(false),
    /** What a request must carry: at least one of each inner list. */
    needs: z.array(z.array(z.enum(INPUTS)).min(1)).default([]),
    /** Where the branch comes from: one of the task's own, or that of the pull request. */
    branch: z.enum(['new', 'pull_request']).default('new'),
    /** What is fetched from the forge for the agent, where the request names it. */
    hydrates: z.array(z.enum(['issue', 'pull_request'])).default([]),
    steps: z.array(z.enum(WORKFLOW_STEPS)).default([...WORKFLOW_STEPS]),
    /** What the agent is told of it, between what every agent is told and the task itself. */
    prompt: z.string().min(1).max(20_000),
    /** What it leaves behind when there are changes: a new pull request, more commits in the same one, or a review. */
    outcome: z.enum(WORKFLOW_OUTCOMES).default('pull_request'),
  })
  .superRefine((workflow, context) => {
    const fault = faultOf(workflow);
    if (fault) context.addIssue({ code: 'custom', path: [fault.field], message: fault.message });
  });
export type Workflow = z.infer<typeof workflowSchema>;

/** What doesn't go together. */
function faultOf({
  read_only,
  outcome,
  branch,
  needs,
  hydrates,
}: Pick<Workflow, 'read_only' | 'outcome' | 'branch' | 'needs' | 'hydrates'>):
  | { field: string; message: string }
  | undefined {
  if (read_only !== (outcome === 'review'))
    return { field: 'outcome', message: 'is `review` for a workflow that is read-only, and for no other' };
  if ((outcome === 'pull_request') !== (branch === 'new'))
    return { field: 'branch', message: 'is `new` for the outcome `pull_request`, and for no other' };
  const needsPullRequest = needs.some((oneOf) => oneOf.length === 1 && oneOf[0] === 'pr_number');
  if ((branch === 'pull_request' || hydrates.includes('pull_request')) && !needsPullRequest)
    return { field: 'needs', message: 'must have `[pr_number]`: the workflow works on a pull request' };
  return undefined;
}

/** The workflows of a deployment. */
export interface Workflows {
  readonly all: readonly Workflow[];
  /** By id, alias, or either with a version constraint (`coding/new-task-v1@1`); nothing means the default. Throws VALIDATION_ERROR. */
  resolve(reference: string | null | undefined): Workflow;
}

const DEFAULT_WORKFLOW = 'coding/new-task-v1';

/** The built-in workflows and these. Throws VALIDATION_ERROR when two have a name in common. */
export function createWorkflows(more: readonly Workflow[] = []): Workflows {
  const all = [...BUILT_IN_WORKFLOWS, ...more];
  const byName = new Map<string, Workflow>();
  for (const workflow of all)
    for (const name of [workflow.id, ...workflow.aliases]) {
      if (byName.has(name))
        throw new BgAgentError('VALIDATION_ERROR', `workflow_files: two workflows have the name ${name}`, {
          field: 'workflow_files',
        });
      byName.set(name, workflow);
    }
  return {
    all,
    resolve(reference) {
      const [name = '', ...constraints] = (reference ?? DEFAULT_WORKFLOW).split('@');
      const constraint = constraints.length === 0 ? undefined : constraints.join('@');
      const workflow = byName.get(name);
      if (!workflow) throw refused(`no workflow "${name}"; known: ${[...byName.keys()].join(', ')}`);
      const wanted = constraint?.replace(/^[\^~]/, '');
      const { id, version } = workflow;
      if (wanted !== undefined && !(version === wanted || version.startsWith(`${wanted}.`)))
        throw refused(`${id} has version ${version}, not ${constraint}`);
      return workflow;
    },
  };
}

const refused = (why: string): BgAgentError =>
  new BgAgentError('VALIDATION_ERROR', `workflow_ref: ${why}`, { field: 'workflow_ref' });

/** Whether a request for the workflow may carry the input: a description always, a number where something is fetched by it. */
export function takesInput(workflow: Workflow, input: Input): boolean {
  if (input === 'task_description') return true;
  const fetched = input === 'issue_number' ? 'issue' : 'pull_request';
  return workflow.needs.flat().includes(input) || workflow.hydrates.includes(fetched);
}
