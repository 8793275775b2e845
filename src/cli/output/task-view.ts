import type { TaskDetail, TaskSummary } from '../../api/client.ts';
import { isTerminal } from '../../task/status.ts';
import type { Timings } from '../../task/task.ts';
import { type Style, statusPaint } from './style.ts';
import { pairs, table } from './table.ts';
import { duration, relative } from './time.ts';
import { cleanLine, cleanText, shellWord } from './untrusted.ts';

type Rows = Parameters<typeof pairs>[0];

/** A task as `status` shows it. */
export function taskView(task: TaskDetail, style: Style, now: number): string {
  const ended = isTerminal(task.status);
  const rows: Rows = [
    ['task', style.bold(task.task_id)],
    ['status', statusLine(task, style)],
    ['waits for', ended ? null : line(task.waiting_for)],
    [
      'cancel',
      task.cancel_requested_at && !ended ? `asked for ${relative(task.cancel_requested_at, now)}` : null,
    ],
    ['repo', cleanLine(task.repo)],
    ['asked', line(askedFor(task))],
    ['workflow', cleanLine(task.resolved_workflow.id)],
    ['pull request', ended ? null : line(task.pr_url)],
    ['agent', cleanLine(task.model_id ? `${task.agent}, ${task.model_id}` : task.agent)],
    ['attempt', task.attempt > 1 ? String(task.attempt) : null],
    ['created', relative(task.created_at, now)],
    ['retry of', task.retry_of],
  ];
  return pairs([...rows, ...(ended ? endRows(task, style, true) : [])], { label: style.dim });
}

/** What a finished task left behind, and how to get it. */
export const endView = (task: TaskDetail, style: Style, options = { fetch: true }): string =>
  pairs(endRows(task, style, options.fetch), { label: style.dim });

function endRows(task: TaskDetail, style: Style, fetch: boolean): Rows {
  const error = task.error_classification;
  return [
    ['problem', error ? style.bad(cleanLine(error.title)) : null],
    ['', error && cleanLine(error.description) !== cleanLine(error.title) ? line(error.description) : null],
    ['to do', error ? cleanLine(error.remedy) : null],
    ['branch', task.head_sha ? line(task.branch_name) : null],
    ['commit', task.head_sha],
    ['changes', diffStat(task)],
    ['verified', verdicts(task, style)],
    ['said', line(task.outcome_summary)],
    ['cost', task.cost_usd === null ? null : `$${task.cost_usd.toFixed(4)}`],
    ['took', task.duration_s === null ? null : duration(task.duration_s * 1_000)],
    ['compare', task.head_sha ? line(task.compare_url) : null],
    ['pull request', line(task.pr_url)],
    ['fetch it', task.head_sha && fetch ? style.accent(fetchCommand(task)) : null],
  ];
}

/** What the task is about: what was written, `issue #12`, `pull request #34`. */
export function askedFor(task: Pick<TaskSummary, 'task_description' | 'issue_number' | 'pr_number'>): string {
  const issue = task.issue_number === null ? '' : `issue #${task.issue_number}`;
  // Also a new task gets one in the end, which it wasn't asked about.
  const pull = task.pr_number === null || issue !== '' ? '' : `pull request #${task.pr_number}`;
  if (task.task_description === null) return issue || pull;
  return issue === '' ? task.task_description : `${issue}: ${task.task_description}`;
}

/** `COMPLETED  changes`, in the colour of the status. */
export function statusLine(task: TaskDetail, style: Style): string {
  const status = statusPaint(style, task.status)(task.status);
  const more = [
    task.outcome?.replace('_', ' '),
    task.partial ? 'unfinished work kept on the branch' : undefined,
  ];
  return [status, ...more].filter(Boolean).join('  ');
}

/** How a person gets the branch into a clone of theirs; safe to paste. */
export function fetchCommand(task: Pick<TaskDetail, 'repo' | 'branch_name'>): string {
  const branch = cleanLine(task.branch_name ?? '');
  const url = withoutPassword(cleanLine(task.repo));
  const remote = /^[\w.-]+\/[\w.-]+$/.test(url) ? 'origin' : url;
  return `git fetch ${shellWord(remote)} ${shellWord(branch)}`;
}

/** `1 file, +12 -3`. */
function diffStat({ diff_stat }: Pick<TaskDetail, 'diff_stat'>): string | null {
  if (!diff_stat) return null;
  const files = `${diff_stat.files_changed} file${diff_stat.files_changed === 1 ? '' : 's'}`;
  return `${files}, +${diff_stat.insertions} -${diff_stat.deletions}`;
}

const PHASES: readonly (readonly [keyof Timings, string])[] = [
  ['queued_ms', 'wait for a slot'],
  ['hydrate_ms', 'check the repository, collect the input'],
  ['start_ms', 'start a session'],
  ['clone_ms', 'clone'],
  ['agent_ms', 'agent'],
  ['verify_ms', 'verify'],
  ['push_ms', 'commit and push'],
];

/** Where the time went, phase by phase; the rest is what the platform itself took. */
export function timingsView(timings: Timings, totalMs: number, style: Style): string {
  const known = PHASES.flatMap(([key, phase]) => {
    const ms = timings[key];
    return ms === null ? [] : [{ phase, ms }];
  });
  const rest = totalMs - known.reduce((sum, { ms }) => sum + ms, 0);
  const rows = [
    ...known,
    { phase: 'everything between', ms: Math.max(0, rest) },
    { phase: 'total', ms: totalMs },
  ];
  return table(
    rows,
    [
      { title: 'phase', value: ({ phase }) => phase },
      { title: 'took', value: ({ ms }) => duration(ms), align: 'right' },
      {
        title: 'share',
        value: ({ ms }) => `${Math.round((ms / Math.max(1, totalMs)) * 100)} %`,
        align: 'right',
      },
    ],
    { title: style.dim },
  );
}

function verdicts({ verification }: TaskDetail, style: Style): string | null {
  if (!verification?.length) return null;
  const paints = { passed: style.good, failed: style.bad, not_verified: style.warn };
  return verification.map((result) => paints[result.after](checkText(result))).join(', ');
}

interface CheckWords {
  check: string;
  after: string;
  reason: string | null;
}

/** `lint not verified (no such command)`. Why a check failed is in the log. */
export const checkText = ({ check, after, reason }: CheckWords): string =>
  `${check} ${after.replace('_', ' ')}${after === 'not_verified' && reason ? ` (${cut(cleanLine(reason))})` : ''}`;

const withoutPassword = (url: string): string => url.replace(/^(\w+:\/\/)[^/@]*@/, '$1');
const line = (text: string | null): string | null => (text === null ? null : cut(cleanLine(cleanText(text))));
const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 199)}…` : text);
