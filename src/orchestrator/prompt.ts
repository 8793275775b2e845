import { fence } from '../task/fence.ts';
import type { Task } from '../task/task.ts';
import { base } from './prompts/base.ts';
import { WORKFLOW_PARTS } from './prompts/workflows.ts';

/** Changes whenever the words do that agents are told (a test holds it), so that a result can be traced to them. */
export const PROMPT_VERSION = '2';

/**
 * What the agent is told: one base, one part for the workflow, the words of whoever keeps the repository's settings, and the task.
 * The task comes from a person that may use the platform, but what it quotes may come from anywhere: it's fenced, and can't end its
 * own fence.
 */
export function buildPrompt(
  task: Pick<Task, 'task_id' | 'repo' | 'task_description' | 'resolved_workflow'>,
  branch: { name: string; base: string },
  overrides: string | null = null,
): string {
  const parts = [
    base(task.repo, branch),
    WORKFLOW_PARTS[task.resolved_workflow.id],
    overrides?.trim() || undefined,
    fence('task', task.task_description ?? '', { id: task.task_id }),
  ];
  return `${parts.filter((part) => part !== undefined).join('\n\n')}\n`;
}

/** The subject line of the commit: the first line of what was asked, at most 72 characters. */
export function commitTitle(task: Pick<Task, 'task_description'>): string {
  const firstLine =
    (task.task_description ?? '')
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? 'Background task';
  return firstLine.length <= 72 ? firstLine : `${firstLine.slice(0, 71).trimEnd()}…`;
}
