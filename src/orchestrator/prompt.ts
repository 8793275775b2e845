import type { Task } from '../task/task.ts';

/** Changes whenever the words below do, so that a result can be traced to what the agent was told. */
export const PROMPT_VERSION = '1';

/**
 * What the agent is told. The task text comes from a person that may use the platform, but what it quotes may come from
 * anywhere; it is fenced so that it can be told from the platform's own words.
 */
export function buildPrompt(
  task: Pick<Task, 'task_id' | 'repo' | 'task_description'>,
  branch: { name: string; base: string },
): string {
  return [
    `You work alone on the repository ${task.repo}, on branch ${branch.name} (from ${branch.base}), in the current folder.`,
    'Do what the task below asks. Change files in this folder; do not commit or push, that is done for you afterwards.',
    'When there is nothing to do, change nothing and say why in the file that the variable BGAGENT_SUMMARY_FILE names.',
    '',
    `<task id="${task.task_id}">`,
    task.task_description ?? '',
    '</task>',
    '',
  ].join('\n');
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
