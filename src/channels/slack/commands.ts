import { BgAgentError, ERRORS, messageOf } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';
import { isTerminal } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';
import type { Actor, TaskActions } from '../channel.ts';
import type { People } from './people.ts';
import { parseTask, splitCommand } from './requests.ts';
import { code, safeLine } from './text.ts';

/** What people ask of the bot, whichever way they ask: each answers with text for them alone. */

export interface Asker {
  teamId: string;
  userId: string;
  /** Where the task would be told about. */
  metadata: Readonly<Record<string, string>>;
  /** The same for the same request, however often Slack sends it. */
  key: string;
}

export interface CommandDeps {
  actions: TaskActions;
  people: People;
  log: Log;
}

const HELP = [
  '*What I can do*',
  '`@bgagent owner/repo[#issue] what to do` or `/bgagent submit owner/repo[#issue] what to do`: work on it',
  '`/bgagent status [task]`: your latest tasks, or one of them',
  '`/bgagent cancel <task>`: end a task',
  '`/bgagent link <code>`: tell me who you are; `bgagent slack link` on your machine prints the code',
  '`/bgagent unlink`: forget that',
].join('\n');

const UNLINKED =
  'I do not know who you are here. Run `bgagent slack link` on your machine, and enter what it prints.';

/** Runs a slash command. */
export async function runCommand(deps: CommandDeps, asker: Asker, text: string): Promise<string> {
  const { word, rest } = splitCommand(text);
  if (word === 'link') return link(deps, asker, rest);
  if (word === 'unlink') return unlink(deps, asker);
  if (word === 'submit')
    return (await submit(deps, asker, rest)) ?? 'Accepted; I will tell you here how it goes.';
  if (word === 'status') return asActor(deps, asker, (actor) => status(deps, actor, rest));
  if (word === 'cancel') return cancel(deps, asker, rest);
  return HELP;
}

/** Submits a task. Undefined when there is nothing to say: the task's own messages follow. */
export async function submit(deps: CommandDeps, asker: Asker, text: string): Promise<string | undefined> {
  const asked = parseTask(text);
  if (!asked) return `Begin with a repository, like \`owner/repo what to do\`.\n${HELP}`;
  const refused = await asActor(deps, asker, async (actor) => {
    await deps.actions.submit(actor, { ...asked, source: 'slack', metadata: asker.metadata }, asker.key);
    return '';
  });
  return refused === '' ? undefined : refused;
}

/** Ends the task, session and all; only its owner or an admin may. */
export const cancel = (deps: CommandDeps, asker: Asker, taskId: string): Promise<string> =>
  asActor(deps, asker, async (actor) => {
    const task = await deps.actions.cancel(actor, await fullId(deps, actor, taskId));
    return isTerminal(task.status)
      ? `Task ${code(task.task_id, 50)} is cancelled; its agent is gone.`
      : `Task ${code(task.task_id, 50)} is being cancelled.`;
  });

export const retry = (deps: CommandDeps, asker: Asker, taskId: string): Promise<string> =>
  asActor(deps, asker, async (actor) => {
    const task = await deps.actions.retry(actor, taskId, asker.key);
    return `Trying again as task ${code(task.task_id, 50)}.`;
  });

async function status(deps: CommandDeps, actor: Actor, taskId: string): Promise<string> {
  if (taskId !== '') return lineOf(await deps.actions.get(actor, await fullId(deps, actor, taskId)));
  const tasks = await deps.actions.recent(actor, 5);
  return tasks.length === 0 ? 'You have no tasks yet.' : tasks.map(lineOf).join('\n');
}

const lineOf = ({ task_id, status: state, repo, task_description }: Task): string =>
  `${code(task_id, 50)} *${state}* ${code(repo, 100)} ${safeLine(task_description ?? '', 80)}`.trim();

/** A task may be named by the beginning of its id, among the actor's latest. */
async function fullId({ actions }: CommandDeps, actor: Actor, text: string): Promise<string> {
  const prefix = text.trim().replaceAll('`', '').toUpperCase();
  if (prefix.length === 26) return prefix;
  const matching =
    prefix === '' ? [] : (await actions.recent(actor, 100)).filter((task) => task.task_id.startsWith(prefix));
  const [only, other] = matching;
  if (only && !other) return only.task_id;
  throw new BgAgentError(
    other ? 'VALIDATION_ERROR' : 'TASK_NOT_FOUND',
    other
      ? `several tasks begin with ${prefix.slice(0, 26)}: give more of the id`
      : 'no task of yours begins with that',
  );
}

async function link({ people }: CommandDeps, { teamId, userId }: Asker, given: string): Promise<string> {
  if (given === '') return 'Run `bgagent slack link` on your machine, and enter what it prints.';
  const actor = await people.link(teamId, userId, given);
  if (!actor) return 'That code is wrong, used or too old. Run `bgagent slack link` again.';
  return `You are ${code(actor.userId, 100)} here now.`;
}

async function unlink({ people }: CommandDeps, { teamId, userId }: Asker): Promise<string> {
  return (await people.unlink(teamId, userId))
    ? 'I have forgotten who you are.'
    : 'I did not know you anyway.';
}

/** Does it as who the asker is here. What the platform refuses is told in its own words, anything else in general ones. */
async function asActor(
  { people, log }: CommandDeps,
  { teamId, userId }: Asker,
  work: (actor: Actor) => Promise<string>,
): Promise<string> {
  const actor = await people.find(teamId, userId);
  if (!actor) return UNLINKED;
  try {
    return await work(actor);
  } catch (error) {
    if (error instanceof BgAgentError && ERRORS[error.code].category !== 'platform')
      return `${safeLine(error.message, 300)}\n${ERRORS[error.code].remedy}`;
    log.error(
      {
        event: 'slack.inbox.failed',
        error_id: 'SLACK_INBOX_FAILED',
        user_id: actor.userId,
        error: messageOf(error),
      },
      'what someone asked for in Slack failed',
    );
    return 'Something went wrong inside the platform. Try again in a moment.';
  }
}
