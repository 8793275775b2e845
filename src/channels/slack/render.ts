import type { TaskEvent } from '../../task/events.ts';
import type { Task } from '../../task/task.ts';
import { actions, type Button, context, plain, type SlackMessage, sections } from './blocks.ts';
import { code, safeLine, safeLines, safeText, safeUrl } from './text.ts';

/** Messages as people see them. Pure; everything that comes from tasks, agents and repositories is escaped and cut. */

export type Renderer = (event: TaskEvent, task: Task) => SlackMessage;

/** What people press; the value is the task's id. */
export const CANCEL_ACTION = 'bgagent_cancel';
export const RETRY_ACTION = 'bgagent_retry';
const VIEW_ACTION = 'bgagent_view';

const DESCRIPTION_CHARS = 200;
const REASON_CHARS = 300;
const PREVIEW_CHARS = 200;
const REPO_CHARS = 100;

export const RENDERERS = {
  task_created: (_, task) =>
    message(`:rocket: *Task accepted* for ${code(task.repo, REPO_CHARS)}`, [describe(task)], task),

  session_started: (_, task) =>
    message(
      `:hourglass_flowing_sand: *Work has started* on ${code(task.repo, REPO_CHARS)}`,
      [],
      task,
      cancelButton(task),
    ),

  task_completed: (_, task) => {
    const link = safeUrl(task.pr_url) ?? safeUrl(task.compare_url);
    const title = link !== undefined && safeUrl(task.pr_url) === link ? 'View PR' : 'View changes';
    return message(
      `:white_check_mark: *Done*: ${code(task.repo, REPO_CHARS)}${task.outcome === 'no_changes' ? ' needed no changes' : ''}`,
      [
        facts(task),
        task.outcome_summary === null ? undefined : safeText(task.outcome_summary, REASON_CHARS),
        task.build_passed === false ? ':warning: The build does not pass.' : undefined,
        link === undefined && task.branch_name !== null
          ? `Branch ${code(task.branch_name, REPO_CHARS)}`
          : undefined,
      ],
      task,
      link === undefined
        ? undefined
        : { type: 'button', text: plain(title), action_id: VIEW_ACTION, url: link, style: 'primary' },
    );
  },

  task_failed: (event, task) =>
    message(`:x: *Failed*: ${code(task.repo, REPO_CHARS)}`, failure(event, task), task, retryButton(task)),

  task_cancelled: (event, task) =>
    message(`:no_entry_sign: *Cancelled*: ${code(task.repo, REPO_CHARS)}`, [partial(event)], task),

  task_timed_out: (event, task) =>
    message(
      `:hourglass: *Timed out*: ${code(task.repo, REPO_CHARS)}`,
      [...failure(event, task), partial(event)],
      task,
      retryButton(task),
    ),

  task_stranded: ({ metadata }, task) => {
    const status = textOf(metadata.prior_status);
    return message(
      `:x: *Stranded*: nothing was driving the task any more${status === undefined ? '' : ` (last status: ${safeLine(status, 50)})`}`,
      [],
      task,
    );
  },

  agent_error: ({ metadata }, task) => {
    const type = textOf(metadata.error_type);
    const preview = textOf(metadata.preview);
    return message(
      `:warning: *The agent met an error*${type === undefined ? '' : `: ${code(type, 80)}`}`,
      [preview === undefined ? undefined : safeLines(preview, PREVIEW_CHARS)],
      task,
    );
  },

  pr_created: ({ metadata }, task) => {
    const url = safeUrl(textOf(metadata.pr_url) ?? null);
    return message(
      `:link: *Pull request opened* in ${code(task.repo, REPO_CHARS)}`,
      [],
      task,
      url === undefined
        ? undefined
        : { type: 'button', text: plain('View PR'), action_id: VIEW_ACTION, url, style: 'primary' },
    );
  },

  approval_requested: ({ metadata }, task) => {
    const [action, reason] = [textOf(metadata.action), textOf(metadata.reason)];
    return message(
      ':raised_hand: *The agent asks for a decision*',
      [
        action === undefined ? undefined : safeText(action, REASON_CHARS),
        reason === undefined ? undefined : `Why: ${safeText(reason, REASON_CHARS)}`,
      ],
      task,
    );
  },

  approval_stranded: (_, task) =>
    message(':raised_hand: *Nobody decided in time*', ['The request of the agent has ended.'], task),
} satisfies Record<string, Renderer>;

function message(
  title: string,
  lines: readonly (string | undefined)[],
  task: Task,
  ...buttons: (Button | undefined)[]
): SlackMessage {
  return {
    text: title,
    blocks: [
      ...sections([title, ...lines]),
      context(`Task ${code(task.task_id, 50)}`),
      ...actions(...buttons),
    ],
  };
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value : undefined;

function describe(task: Task): string | undefined {
  if (task.task_description !== null && task.task_description.trim() !== '')
    return `>${safeLine(task.task_description, DESCRIPTION_CHARS)}`;
  const number = task.issue_number ?? task.pr_number;
  return number === null ? undefined : `>#${number}`;
}

function failure({ metadata }: TaskEvent, task: Task): (string | undefined)[] {
  const reason = textOf(metadata.error_message) ?? textOf(task.error_message);
  const remedy = textOf(metadata.remedy) ?? textOf(task.error_classification?.remedy);
  return [
    reason === undefined ? undefined : safeLines(reason, REASON_CHARS),
    remedy === undefined ? undefined : `*What to do:* ${safeLine(remedy, REASON_CHARS)}`,
  ];
}

const partial = ({ metadata }: TaskEvent): string | undefined => {
  const branch = metadata.partial === true ? textOf(metadata.branch_name) : undefined;
  return branch === undefined ? undefined : `What was done so far is on ${code(branch, REPO_CHARS)}.`;
};

function facts({ started_at, completed_at, cost_usd, diff_stat }: Task): string {
  const parts = [
    started_at !== null && completed_at !== null
      ? duration(Date.parse(completed_at) - Date.parse(started_at))
      : undefined,
    cost_usd === null ? undefined : `$${cost_usd.toFixed(2)}`,
    diff_stat === null
      ? undefined
      : `${diff_stat.files_changed} files, +${diff_stat.insertions} −${diff_stat.deletions}`,
  ];
  return parts.filter((part) => part !== undefined).join(' · ');
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

const cancelButton = ({ task_id }: Task): Button => ({
  type: 'button',
  text: plain('Cancel'),
  action_id: CANCEL_ACTION,
  value: task_id,
  style: 'danger',
  confirm: {
    title: plain('Cancel this task?'),
    text: plain('The agent is stopped. What it has done so far is kept on its branch.'),
    confirm: plain('Cancel the task'),
    deny: plain('Let it work'),
    style: 'danger',
  },
});

const retryButton = ({ task_id }: Task): Button => ({
  type: 'button',
  text: plain('Retry'),
  action_id: RETRY_ACTION,
  value: task_id,
});
