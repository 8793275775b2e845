import type { Task } from '../../task/task.ts';
import { type CheckResult, regressions, type Verdict } from '../../task/verification.ts';
import { cell, prose, quote } from './prose.ts';

/** Characters of what was asked that are quoted. */
const ASKED_LENGTH = 1_500;

/** What people are told of a task's work; the store's record of it, when its runner has reported. */
export type ReportedTask = Pick<
  Task,
  | 'task_id'
  | 'user_id'
  | 'task_description'
  | 'issue_number'
  | 'agent'
  | 'model_id'
  | 'cost_usd'
  | 'turns_completed'
  | 'diff_stat'
  | 'verification'
>;

/** Why it was done: what was asked, and of whom. */
export function asked({ task_description, issue_number }: ReportedTask): string {
  const lines = [
    issue_number === null ? '' : `Resolves #${issue_number}.`,
    task_description?.trim() ? quote(task_description, ASKED_LENGTH) : '',
  ].filter((line) => line !== '');
  return lines.length === 0 ? '' : `### Why\n\n${lines.join('\n\n')}`;
}

/** What the repository's own commands said before and after the work. */
export function verification({ verification: results }: ReportedTask): string {
  if (!results || results.length === 0)
    return '### Verification\n\nNothing was verified: the repository names no commands for it.';
  const worse = regressions(results);
  return [
    '### Verification',
    '',
    '| check | before | after | |',
    '|---|---|---|---|',
    ...results.map(
      ({ check, before, after, regressed, reason }) =>
        `| ${check} | ${shown(before)} | ${shown(after)} | ${cell([regressed ? '**got worse**' : '', reason ?? ''].filter(Boolean).join(': '))} |`,
    ),
    ...worse.flatMap(outputOf),
  ].join('\n');
}

const shown = (verdict: Verdict): string =>
  ({ passed: '✅ passed', failed: '❌ failed', not_verified: '— not verified' })[verdict];

function outputOf({ check, output_tail }: CheckResult): string[] {
  if (!output_tail?.trim()) return [];
  const text = output_tail.slice(-2_000).trim();
  // A block that nothing in it can end.
  const fence = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map(([run]) => run.length + 1)));
  return ['', `<details><summary>Output of ${check}</summary>`, '', fence, text, fence, '', '</details>'];
}

/** The small print: what it took, for whom, and where to look. */
export function footer(task: ReportedTask, publicUrl: string | null): string {
  const name = `\`${task.task_id}\``;
  const link =
    publicUrl === null ? name : `[${name}](${publicUrl.replace(/\/+$/, '')}/tasks/${task.task_id})`;
  const stat = task.diff_stat;
  const facts = [
    stat
      ? `${stat.files_changed} file${stat.files_changed === 1 ? '' : 's'}, +${stat.insertions} −${stat.deletions}`
      : '',
    task.cost_usd === null ? '' : `$${task.cost_usd.toFixed(2)}`,
    task.turns_completed === null
      ? ''
      : `${task.turns_completed} turn${task.turns_completed === 1 ? '' : 's'}`,
    `agent ${cell([task.agent, task.model_id].filter(Boolean).join(', '))}`,
  ].filter((fact) => fact !== '');
  return `---\n\nTask ${link} of ${cell(task.user_id)}, by bgagent · ${facts.join(' · ')}`;
}

/** Parts below each other, without the empty ones. */
export const parts = (...texts: string[]): string => texts.filter((text) => text.trim() !== '').join('\n\n');

/** What the agent says of its work; a word where it says nothing. */
export const said = (text: string, nothing: string): string => (text.trim() === '' ? nothing : prose(text));
