import type { TaskEvent } from '../../task/events.ts';
import type { Task } from '../../task/task.ts';
import { bodyText, escapeHtml, headerText, safeUrl } from './text.ts';

/** Mails as people read them. Pure; what comes from tasks, agents and repositories is cut, and escaped in HTML. */

export interface Mail {
  subject: string;
  text: string;
  html: string;
}

type Part =
  | { kind: 'text'; text: string }
  | { kind: 'fact'; name: string; value: string }
  | { kind: 'link'; title: string; url: string };

const REASON_CHARS = 4_000;
const DESCRIPTION_CHARS = 1_000;

export type Renderer = (event: TaskEvent, task: Task) => Mail;

export const RENDERERS = {
  task_completed: (_, task) =>
    mail('Done', task, [
      ...(task.outcome === 'no_changes' ? [text('Nothing had to be changed.')] : []),
      ...optional(task.outcome_summary),
      ...(task.build_passed === false ? [text('The build does not pass.')] : []),
      ...link('Pull request', task.pr_url),
      ...(task.pr_url === null ? link('Changes', task.compare_url) : []),
      ...fact('Branch', task.branch_name),
      ...fact('Cost', task.cost_usd === null ? null : `$${task.cost_usd.toFixed(2)}`),
    ]),
  task_failed: (event, task) => mail('Failed', task, failure(event, task)),
  task_timed_out: (event, task) => mail('Timed out', task, failure(event, task)),
  approval_requested: ({ metadata }, task) =>
    mail('A decision is needed', task, [
      ...optional(stringOf(metadata.action)),
      ...fact('Why', stringOf(metadata.reason)),
    ]),
} satisfies Record<string, Renderer>;

/** The same for every mail of a task, so that they make one thread even where References are not looked at. */
const subjectOf = (task: Task): string =>
  headerText(`[bgagent] ${task.repo}: ${task.task_description ?? task.task_id}`, 150);

function mail(title: string, task: Task, parts: readonly Part[]): Mail {
  const all: Part[] = [
    text(`${title}: ${headerText(task.repo, 200)}`),
    ...parts,
    ...fact(
      'Asked for',
      task.task_description === null ? null : bodyText(task.task_description, DESCRIPTION_CHARS),
    ),
    ...fact('Task', task.task_id),
  ];
  return {
    subject: `${headerText(title, 40)}: ${subjectOf(task)}`,
    text: `${all.map(asText).join('\n\n')}\n`,
    html: `<!doctype html>\n<div style="font-family:sans-serif;max-width:40em">\n${all.map(asHtml).join('\n')}\n</div>\n`,
  };
}

function failure({ metadata }: TaskEvent, task: Task): Part[] {
  return [
    ...optional(stringOf(metadata.error_message) ?? task.error_message),
    ...fact('What to do', stringOf(metadata.remedy) ?? task.error_classification?.remedy ?? null),
    ...fact(
      metadata.partial === true ? 'What was done so far is on' : 'Branch',
      stringOf(metadata.branch_name),
    ),
  ];
}

const stringOf = (value: unknown): string | null =>
  typeof value === 'string' && value.trim() !== '' ? value : null;
const text = (value: string): Part => ({ kind: 'text', text: value });
const optional = (value: string | null): Part[] =>
  value === null ? [] : [text(bodyText(value, REASON_CHARS))];
const fact = (name: string, value: string | null): Part[] =>
  value === null ? [] : [{ kind: 'fact', name, value: bodyText(value, REASON_CHARS) }];

function link(title: string, url: string | null): Part[] {
  const safe = safeUrl(url);
  return safe === undefined ? [] : [{ kind: 'link', title, url: safe }];
}

function asText(part: Part): string {
  if (part.kind === 'text') return part.text;
  return part.kind === 'fact' ? `${part.name}: ${part.value}` : `${part.title}: ${part.url}`;
}

function asHtml(part: Part): string {
  const lines = (value: string): string => escapeHtml(value).replaceAll('\n', '<br>');
  if (part.kind === 'text') return `<p>${lines(part.text)}</p>`;
  if (part.kind === 'fact') return `<p><b>${escapeHtml(part.name)}:</b> ${lines(part.value)}</p>`;
  return `<p><a href="${escapeHtml(part.url)}">${escapeHtml(part.title)}</a></p>`;
}
