import type { TaskStatus } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';

/** Fields that the comment shows. */
export type Shown = Pick<
  Task,
  | 'task_id'
  | 'repo'
  | 'status'
  | 'pr_url'
  | 'branch_name'
  | 'compare_url'
  | 'outcome'
  | 'outcome_summary'
  | 'error_message'
  | 'error_classification'
  | 'build_passed'
  | 'lint_passed'
  | 'cost_usd'
  | 'started_at'
  | 'completed_at'
  | 'waiting_for'
>;

/** Characters of a comment; GitHub takes 65,536. */
const MAX_LENGTH = 60_000;
const CUT = '\n\n_Cut here: the rest is too long for a comment._';

const HEADINGS: Readonly<Record<TaskStatus, string>> = {
  PENDING_UPLOADS: 'bgagent waits for files',
  SUBMITTED: 'bgagent has taken this on',
  QUEUED: 'bgagent waits its turn',
  HYDRATING: 'bgagent is getting ready',
  RUNNING: 'bgagent is working',
  AWAITING_APPROVAL: 'bgagent needs a decision',
  FINALIZING: 'bgagent is finishing',
  COMPLETED: 'bgagent is done',
  FAILED: 'bgagent failed',
  CANCELLED: 'bgagent was cancelled',
  TIMED_OUT: 'bgagent ran out of time',
};

/**
 * The one comment of a task: a table for people, then what the agent said or what went wrong. Words of agent and errors are
 * untrusted: they stand in a code block, where no markdown, mention or mark of ours works.
 */
export function renderComment(task: Shown, lastEvent: { type: string; timestamp: string }): string {
  const body = [heading(task), table(task, lastEvent), ...details(task)].join('\n\n');
  return body.length <= MAX_LENGTH ? body : cut(body);
}

const heading = (task: Shown): string =>
  task.status === 'COMPLETED' && task.outcome === 'no_changes'
    ? '### bgagent found nothing to change'
    : `### ${HEADINGS[task.status]}`;

function table(task: Shown, lastEvent: { type: string; timestamp: string }): string {
  const rows: [string, string | null][] = [
    ['Task', code(task.task_id)],
    ['Repository', cell(task.repo)],
    ['Status', task.waiting_for ? `${task.status}, waiting for ${cell(task.waiting_for)}` : task.status],
    ['Last event', `${code(lastEvent.type)}, ${minutes(lastEvent.timestamp)}`],
    ['Pull request', safeUrl(task.pr_url)],
    ['Branch', task.pr_url === null && task.branch_name !== null ? branch(task) : null],
    ['Build', verdict(task.build_passed)],
    ['Lint', verdict(task.lint_passed)],
    ['Duration', duration(task)],
    ['Cost', task.cost_usd === null ? null : `$${task.cost_usd.toFixed(2)}`],
  ];
  const lines = rows.flatMap(([name, value]) => (value === null ? [] : [`| ${name} | ${value} |`]));
  return ['| | |', '|---|---|', ...lines].join('\n');
}

function details(task: Shown): string[] {
  const found: string[] = [];
  if (task.error_message) found.push(`**What went wrong**\n\n${literal(task.error_message)}`);
  if (task.error_classification) found.push(`**What to do**\n\n${literal(task.error_classification.remedy)}`);
  if (task.outcome_summary) found.push(`**What the agent says**\n\n${literal(task.outcome_summary)}`);
  return found;
}

/** A code block that its content can't end. */
function literal(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return `${fence}text\n${text.replace(/\r\n?/g, '\n')}\n${fence}`;
}

const code = (text: string): string => `\`${text.replace(/[`|\n\r]/g, ' ')}\``;

/** Plain text in a cell: nothing in it is markdown, HTML or a mention. */
const cell = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_{}[\]()#+!|~]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/@/g, '@\u200b');

/** An address as it is, in angle brackets; nothing else than http(s) becomes a link. */
function safeUrl(url: string | null): string | null {
  if (url === null || !URL.canParse(url)) return null;
  const { protocol, href } = new URL(url);
  return protocol === 'https:' || protocol === 'http:'
    ? `<${href.replace(/[|<>]/g, encodeURIComponent)}>`
    : null;
}

const branch = (task: Shown): string => {
  const link = safeUrl(task.compare_url);
  return link === null ? code(task.branch_name ?? '') : `${code(task.branch_name ?? '')} ${link}`;
};

const verdict = (passed: boolean | null): string | null => {
  if (passed === null) return null;
  return passed ? 'passed' : '**failed**';
};

function duration({ started_at, completed_at }: Shown): string | null {
  if (started_at === null || completed_at === null) return null;
  const seconds = Math.max(0, Math.round((Date.parse(completed_at) - Date.parse(started_at)) / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const whole = Math.floor(seconds / 60);
  return whole < 60 ? `${whole} min ${seconds % 60} s` : `${Math.floor(whole / 60)} h ${whole % 60} min`;
}

/** `2026-01-31 09:30 UTC` */
const minutes = (timestamp: string): string => `${timestamp.slice(0, 16).replace('T', ' ')} UTC`;

/** Ends where the text must, without leaving a code block open. */
function cut(body: string): string {
  const kept = body.slice(0, MAX_LENGTH - 200);
  const fences = [...kept.matchAll(/^(`{3,})(?:text)?$/gm)].map(([, fence = '']) => fence);
  const open = fences.length % 2 === 1 ? `\n${fences.at(-1)}` : '';
  return `${kept}${open}${CUT}`;
}
