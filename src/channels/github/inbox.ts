import { ZodError } from 'zod';
import type { Collaboration } from '../../forge/collaboration.ts';
import { BgAgentError, codeOf, ERRORS, messageOf } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';
import { isTerminal } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';
import type { Actor, ChannelInbox, InboundAnswer, InboundRequest, TaskActions } from '../channel.ts';
import { renderComment } from './render.ts';
import { type Asked, type AskedTask, askedBy, type Sender } from './webhook-events.ts';

export interface GitHubInboxOptions {
  /** The secret that GitHub signs with; undefined when none is set. */
  webhookSecret(): Promise<string | undefined>;
  /** The name that people write after `@`. */
  mention: string;
  collaborationFor(repo: string): Collaboration | null;
  actions: TaskActions;
  /** The user here whose account there it is; undefined when it isn't linked. */
  actorOf(sender: Sender): Promise<Actor | undefined>;
  /** Who owns a task; undefined when there is no such task any more. */
  ownerOf(taskId: string): Promise<Actor | undefined>;
  /** Makes the account there a user here, once a code; undefined when the code is not valid (any more). */
  link(sender: Sender, code: string): Promise<Actor | undefined>;
  log: Log;
}

/** Rounds that the platform takes by itself on one pull request: a review or failed checks, and no endless quarrel with either. */
const FOLLOW_UPS = 2;

/** Tasks of a person that are looked through for those to cancel. */
const LOOK_BACK = 100;

/**
 * Webhooks of GitHub. GitHub waits ten seconds for the answer, so the task is there when it is answered. The delivery's id is the
 * idempotency key: one that comes again, or is replayed, makes no second task, and one that failed can be sent again.
 */
export function createGitHubInbox(options: GitHubInboxOptions): ChannelInbox {
  const { log, mention } = options;
  return {
    async receive(kind, request) {
      if (kind !== 'webhook' || request.method !== 'POST')
        throw new BgAgentError('ROUTE_NOT_FOUND', 'GitHub posts its webhooks to /v1/github/webhook');
      const secret = await options.webhookSecret();
      if (secret === undefined)
        throw new BgAgentError(
          'CHANNEL_NOT_CONFIGURED',
          'no secret for webhooks of GitHub is set: run `bgagent github setup --app --webhook-url …`',
        );
      if (!(await isSigned(secret, request)))
        throw new BgAgentError('UNAUTHORIZED', 'x-hub-signature-256: is missing or wrong');
      const delivery = request.header('x-github-delivery');
      const event = request.header('x-github-event');
      if (!delivery || !/^[\w-]{1,100}$/.test(delivery) || !event)
        throw invalid('x-github-delivery and x-github-event are needed');
      try {
        const asked = askedBy(event, parsed(request), mention);
        return answer(await act(options, asked, delivery));
      } catch (error) {
        return refused(error, { log, delivery, event });
      }
    },
    // Every answer waits for its work.
    settled: async () => undefined,
  };
}

async function isSigned(secret: string, request: InboundRequest): Promise<boolean> {
  const signature = request.header('x-hub-signature-256');
  if (!signature || request.body === '') return false;
  // Loaded with the first webhook, not with the platform.
  const { Webhooks } = await import('@octokit/webhooks');
  return new Webhooks({ secret }).verify(request.body, signature);
}

/** GitHub sends JSON, or JSON in a form. */
function parsed(request: InboundRequest): unknown {
  const isForm = request.header('content-type')?.startsWith('application/x-www-form-urlencoded');
  const text = isForm ? new URLSearchParams(request.body).get('payload') : request.body;
  try {
    return JSON.parse(text ?? '');
  } catch (cause) {
    throw invalid('the body is not JSON', cause);
  }
}

/** Does what is asked, and says what was done. */
async function act(options: GitHubInboxOptions, asked: Asked, delivery: string): Promise<string> {
  if (asked.kind === 'nothing') return `nothing to do: ${asked.why}`;
  if (asked.kind === 'link') return link(options, asked);
  if (asked.kind === 'cancel') return cancel(options, asked);
  const { request } = asked;
  if (!(await options.collaborationFor(request.repo)?.mayPush(request.repo, request.sender.login)))
    return `nothing to do: ${request.sender.login} may not push to ${request.repo}`;
  if (request.followsUp !== null) return followUp(options, request, request.followsUp);
  const actor = await options.actorOf(request.sender);
  if (!actor) {
    await tellHowToLink(options, request);
    return `nothing to do: the account of ${request.sender.login} is linked to no user`;
  }
  const { task, created } = await options.actions.submit(actor, inbound(request), `github:${delivery}`);
  if (created) await acknowledge(options, request, task);
  return `task ${task.task_id}`;
}

async function link(
  options: GitHubInboxOptions,
  { repo, number, sender, code }: Extract<Asked, { kind: 'link' }>,
): Promise<string> {
  const actor = await options.link(sender, code);
  await say(
    options,
    { repo, number, sender },
    actor
      ? 'Your account is linked: what you ask here is done with your rights.'
      : 'This code is not valid, or not any more. `bgagent github link` makes a new one.',
  );
  return actor ? `linked to ${actor.userId}` : 'the code is not valid';
}

/** Ends what the person has under way there; the task's comment says so when it's proven. */
async function cancel(
  options: GitHubInboxOptions,
  { repo, number, sender }: Extract<Asked, { kind: 'cancel' }>,
): Promise<string> {
  const actor = await options.actorOf(sender);
  if (!actor) return `nothing to do: the account of ${sender.login} is linked to no user`;
  const recent = await options.actions.recent(actor, LOOK_BACK);
  const theirs = recent.filter(
    (task) =>
      task.repo === repo &&
      (task.issue_number === number || task.pr_number === number) &&
      !isTerminal(task.status),
  );
  for (const { task_id } of theirs) await options.actions.cancel(actor, task_id);
  if (theirs.length === 0) {
    await say(options, { repo, number, sender }, 'You have no task under way here.');
    return 'nothing to do: no task is under way';
  }
  return `cancelled ${theirs.map(({ task_id }) => task_id).join(', ')}`;
}

/**
 * A round of its own accord has a number in its idempotency key. One that is taken by another review or check means that the
 * next is due; the same once more finds its own.
 */
async function followUp(options: GitHubInboxOptions, request: AskedTask, taskId: string): Promise<string> {
  const owner = await options.ownerOf(taskId);
  if (!owner) return 'nothing to do: the task that made the branch is gone';
  for (let round = 1; round <= FOLLOW_UPS; round += 1) {
    try {
      const key = `github:follow-up:${request.repo}#${request.prNumber}:${round}`;
      const { task, created } = await options.actions.submit(owner, inbound(request), key);
      if (created) await acknowledge(options, request, task);
      return `task ${task.task_id}, round ${round} of ${FOLLOW_UPS}`;
    } catch (error) {
      if (codeOf(error) !== 'DUPLICATE_TASK') throw error;
    }
  }
  return `nothing to do: ${FOLLOW_UPS} rounds were taken already; mention the platform for another`;
}

const inbound = ({ repo, issueNumber, prNumber, description, sender, followsUp }: AskedTask) => ({
  repo,
  issueNumber,
  prNumber,
  description,
  source: 'github' as const,
  metadata: { login: sender.login, ...(followsUp === null ? {} : { follows_up: followsUp }) },
});

/** Whoever asks here sees at once that they were heard: the task's comment begins, and is edited as the task goes on. */
const acknowledge = (options: GitHubInboxOptions, { repo, issueNumber, prNumber }: AskedTask, task: Task) =>
  comment(
    options,
    { repo, number: issueNumber ?? prNumber ?? 0 },
    {
      taskId: task.task_id,
      body: renderComment(task, { type: 'task_created', timestamp: task.created_at }),
    },
  );

const tellHowToLink = (options: GitHubInboxOptions, { repo, issueNumber, prNumber, sender }: AskedTask) =>
  say(
    options,
    { repo, number: issueNumber ?? prNumber ?? 0, sender },
    [
      'Your account here is not linked to a user of bgagent yet. Once:',
      '',
      `1. \`bgagent github link\` on your machine makes a code that is good for ten minutes.`,
      `2. Comment \`@${options.mention} link <code>\` here.`,
    ].join('\n'),
  );

/** One comment a person and thread, edited in place. */
const say = (
  options: GitHubInboxOptions,
  { repo, number, sender }: { repo: string; number: number; sender: Sender },
  body: string,
): Promise<void> => comment(options, { repo, number }, { taskId: `account-${sender.id}`, body });

/** What can't be said is no reason to have GitHub try the delivery again. */
async function comment(
  { collaborationFor, log }: GitHubInboxOptions,
  { repo, number }: { repo: string; number: number },
  said: { taskId: string; body: string },
): Promise<void> {
  try {
    await collaborationFor(repo)?.comment(repo, number, said);
  } catch (error) {
    log.warn(
      { event: 'channel.github.reply_failed', repo, number, error: messageOf(error) },
      'could not answer in a thread',
    );
  }
}

/**
 * What a repetition can mend is thrown: GitHub marks the delivery as failed, and people can send it again. What will never be
 * done is an answer like any other.
 */
function refused(error: unknown, about: { log: Log; delivery: string; event: string }): InboundAnswer {
  const { log, delivery, event } = about;
  if (error instanceof ZodError) {
    const [issue] = error.issues;
    throw invalid(`${event}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not understood'}`, error);
  }
  const code = codeOf(error);
  log.warn(
    { event: 'channel.github.webhook_failed', delivery, github_event: event, code, error: messageOf(error) },
    'a webhook asked for what could not be done',
  );
  if (isFromBody(error)) throw error;
  if (!ERRORS[code].retryable) return answer(`refused: ${code}: ${messageOf(error)}`);
  throw new BgAgentError('SERVICE_UNAVAILABLE', `not now: ${code}; deliver it again later`, { cause: error });
}

const invalid = (message: string, cause?: unknown): BgAgentError =>
  new BgAgentError('VALIDATION_ERROR', message, { field: BODY, ...(cause === undefined ? {} : { cause }) });

const BODY = 'body';
const isFromBody = (error: unknown): boolean =>
  error instanceof BgAgentError && error.code === 'VALIDATION_ERROR' && error.field === BODY;

const answer = (said: string): InboundAnswer => ({
  body: JSON.stringify({ message: said }),
  contentType: 'application/json',
});
