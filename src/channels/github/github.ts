import type { Collaboration } from '../../forge/collaboration.ts';
import { BgAgentError, codeOf, ERRORS, messageOf } from '../../task/errors.ts';
import type { ChannelOverrides } from '../../task/notifications.ts';
import type { Task } from '../../task/task.ts';
import type { Workflow } from '../../task/workflows.ts';
import type { Channel } from '../channel.ts';
import { renderComment } from './render.ts';

export interface GitHubChannelOptions {
  /** Issues and pull requests of the repository; null when the forge that serves it has none. */
  collaborationFor(repo: string): Collaboration | null;
  /** What becomes of the task's work, by its workflow. */
  outcomeOf(task: Pick<Task, 'resolved_workflow'>): Workflow['outcome'];
  /** The task as it is now. */
  readTask(taskId: string): Promise<Task | undefined>;
}

const TERMINALS = ['task_completed', 'task_failed', 'task_cancelled', 'task_timed_out'] as const;

/** One comment a task on its issue or pull request, which is edited as the task goes on. */
export function createGitHubChannel({
  collaborationFor,
  outcomeOf,
  readTask,
}: GitHubChannelOptions): Channel {
  /** Where people look: the issue or pull request that the task was asked on; not the pull request that it made itself. */
  const placeOf = (task: Task): number | null =>
    task.issue_number ?? (outcomeOf(task) === 'pull_request' ? null : task.pr_number);

  return {
    name: 'github',
    renders: [
      'task_created',
      'session_started',
      'pr_created',
      'approval_requested',
      'task_stranded',
      ...TERMINALS,
    ],
    defaults: ['pr_created', 'approval_requested', ...TERMINALS],
    concurrency: 4,

    wants: (task) => placeOf(task) !== null && collaborationFor(task.repo) !== null,

    async deliver({ event, type, task, overrides }) {
      const number = placeOf(task);
      const collaboration = collaborationFor(task.repo);
      if (number === null || !collaboration)
        throw new BgAgentError(
          'CHANNEL_NOT_CONFIGURED',
          `${task.repo} has no issues or pull requests that the platform can reach`,
        );
      // The comment shows the task as it is, not as it was at the event: a late retry never turns it back.
      const latest = (await readTask(task.task_id)) ?? task;
      if (latest.status === 'COMPLETED' && speaksForItself(outcomeOf(latest), overrides))
        return { kind: 'sent', note: 'the answer or review in the pull request says it' };
      const body = renderComment(latest, { type, timestamp: event.timestamp });
      try {
        const { url } = await collaboration.comment(task.repo, number, { taskId: task.task_id, body });
        return { kind: 'sent', note: url };
      } catch (error) {
        throw asChannelError(error);
      }
    },
  };
}

/**
 * A task on a pull request ends with an answer or a review there, which nobody needs to be told again. An answer takes the place of
 * the comment; beside a review, one that was written when the task began would stay as it was.
 */
const speaksForItself = (outcome: Workflow['outcome'], { events = [] }: ChannelOverrides): boolean =>
  outcome === 'same_pull_request' ||
  (outcome === 'review' && !events.some((type) => type === 'task_created' || type === 'session_started'));

/** What a forge throws says itself whether a retry can help. */
function asChannelError(error: unknown): BgAgentError {
  const code = codeOf(error);
  const retryable = ERRORS[code].retryable ? 'CHANNEL_UNAVAILABLE' : 'CHANNEL_REFUSED';
  return new BgAgentError(
    code === 'GITHUB_NOT_CONFIGURED' ? 'CHANNEL_NOT_CONFIGURED' : retryable,
    messageOf(error),
    {
      cause: error,
      ...(error instanceof BgAgentError && error.retryAfterSeconds !== undefined
        ? { retryAfterSeconds: error.retryAfterSeconds }
        : {}),
    },
  );
}
