import { fence } from '../task/fence.ts';
import type { Task } from '../task/task.ts';
import type { Workflow } from '../task/workflows.ts';
import { base } from './prompts/base.ts';

/** Changes whenever the words do that agents are told (a test holds it), so that a result can be traced to them. */
export const PROMPT_VERSION = '3';

interface PromptInput {
  task: Pick<Task, 'task_id' | 'repo' | 'task_description' | 'issue_number' | 'pr_number'>;
  workflow: Pick<Workflow, 'prompt' | 'branch'>;
  branch: { name: string; base: string };
  /** The words of whoever keeps the repository's settings. */
  overrides?: string | null;
  /** What others wrote on the forge, fenced; empty when nothing was fetched. */
  context?: string;
}

/**
 * What the agent is told: one base, one part for the workflow, the words of whoever keeps the repository's settings, what others
 * wrote, and the task. The task comes from a person that may use the platform, but what it quotes may come from anywhere: it's
 * fenced, and can't end its own fence.
 */
export function buildPrompt({ task, workflow, branch, overrides, context = '' }: PromptInput): string {
  const parts = [
    base(task.repo, branch),
    workflow.branch === 'pull_request' ? comparison(branch.base) : '',
    workflow.prompt.trim(),
    overrides?.trim() ?? '',
    context,
    fence('task', task.task_description?.trim() || impliedTask(task), { id: task.task_id }),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** What is asked for where only a number was given. */
function impliedTask({ issue_number, pr_number }: PromptInput['task']): string {
  if (pr_number !== null) return `Do this for pull request #${pr_number}, which is above.`;
  if (issue_number !== null)
    return `Do what issue #${issue_number} asks for, which is above, as far as it is about the code of this repository.`;
  return 'Do what is said above.';
}

const comparison = (base: string): string =>
  `\`git diff origin/${base}...HEAD\` shows what the pull request changes as a whole.`;

/** Characters of the subject of a commit, and of the title of a pull request. */
const TITLE_LENGTH = 72;

/**
 * The subject line of the commit where the agent gives none: the first line of what was asked, or what else there is to call it;
 * at most 72 characters.
 */
export function commitTitle(
  { task_description }: Pick<Task, 'task_description'>,
  otherwise = 'Background task',
): string {
  const firstLine =
    [...(task_description ?? '').split('\n'), otherwise]
      .map((line) => line.replace(/\p{Cc}+/gu, ' ').trim())
      .find((line) => line !== '') ?? 'Background task';
  return firstLine.length <= TITLE_LENGTH ? firstLine : `${firstLine.slice(0, TITLE_LENGTH - 1).trimEnd()}…`;
}
