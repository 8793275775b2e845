import type { MessageStore } from '../../stores/message-store.ts';
import type { Log } from '../../task/log.ts';
import type { Channel, ChannelAnswer } from '../channel.ts';
import { createPacer } from '../pacer.ts';
import { afterwards } from './afterwards.ts';
import { createSlackApi, type SlackCaller } from './api.ts';
import { SlackCallError } from './errors.ts';
import { CHANNEL, postOnce } from './post.ts';
import { RENDERERS, type Renderer } from './render.ts';
import { slotOf } from './slots.ts';
import { placeOf, rootOf, type Target, targetOf } from './target.ts';
import type { Workspaces } from './workspaces.ts';

export interface SlackOptions {
  workspaces: Workspaces;
  callSlack: SlackCaller;
  messages: MessageStore;
  /** `<team id>/<channel id>` that hears of tasks from elsewhere; null = nobody does. */
  notifyChannel: string | null;
  log: Log;
  now(): number;
  /** Pause between messages of one Slack channel, in milliseconds. Default 1,000, as Slack asks. */
  paceMs?: number;
  /** Messages that may go at once after a silence. Default 3. */
  burst?: number;
}

const DEFAULTS = [
  'task_created',
  'session_started',
  'task_completed',
  'task_failed',
  'task_cancelled',
  'task_timed_out',
  'task_stranded',
  'agent_error',
  'approval_requested',
  'approval_stranded',
];

/** Tells people in Slack: a thread a task, one message a slot, a reaction for the state. */
export function createSlackChannel(options: SlackOptions): Channel {
  const { workspaces, callSlack, messages, notifyChannel, log, now, paceMs = 1_000, burst = 3 } = options;
  const pacer = createPacer({ now, intervalMs: paceMs, burst });
  const renderers: Readonly<Record<string, Renderer>> = RENDERERS;

  return {
    name: CHANNEL,
    renders: Object.keys(RENDERERS),
    defaults: DEFAULTS,
    concurrency: 16,
    wants: (task, overrides) => targetOf(task, overrides, notifyChannel) !== undefined,

    async deliver({ event, type, task, overrides }) {
      const target = targetOf(task, overrides, notifyChannel);
      const render = renderers[type];
      if (!target || !render) return { kind: 'sent', note: 'nobody is to be told here any more' };
      const api = createSlackApi({ teamId: target.teamId, workspaces, callSlack });
      const taskId = task.task_id;
      const known = await messages.list(taskId, CHANNEL);
      const slot = slotOf(type, event.event_id);
      const sent = known.some((one) => one.slot === slot && one.ref !== null);
      const mayGoAt = sent ? 0 : pacer.reserve(paceKey(target), event.event_id);
      if (mayGoAt > now()) return { kind: 'postponed', untilMs: mayGoAt };

      const place = placeOf(target, rootOf(target, known));
      const request = { taskId, eventId: event.event_id, slot, place, message: render(event, task), known };
      try {
        const posted = await postOnce({ messages, api, log, now }, request);
        await afterwards({ messages, api, log }, { taskId, type, target, before: known });
        return { kind: 'sent', note: noteOf(posted) };
      } catch (error) {
        throw note(error, { taskId, type, target });
      }
    },
  };

  function note(
    error: unknown,
    { taskId, type, target }: { taskId: string; type: string; target: Target },
  ): unknown {
    if (!(error instanceof SlackCallError)) return error;
    const { code, terminal, retryAfterSeconds } = error.failure;
    const fields = {
      task_id: taskId,
      type,
      team_id: target.teamId,
      channel: target.channel ?? target.postTo,
      code,
    };
    if (terminal) log.warn({ event: 'fanout.slack.api_error', ...fields }, 'Slack refused a message');
    else
      log.warn(
        {
          event: 'fanout.slack.retryable_api_error',
          ...fields,
          ...(retryAfterSeconds === undefined ? {} : { retry_after_seconds: retryAfterSeconds }),
        },
        'Slack did not take a message',
      );
    if (retryAfterSeconds !== undefined) pacer.hold(paceKey(target), now() + retryAfterSeconds * 1_000);
    return error;
  }
}

const paceKey = ({ teamId, channel, postTo }: Target): string => `${teamId}/${channel ?? postTo}`;

function noteOf(
  posted: Awaited<ReturnType<typeof postOnce>>,
): Extract<ChannelAnswer, { kind: 'sent' }>['note'] {
  if (posted.kind === 'taken') return `nothing was sent: event ${posted.by} has the message of this slot`;
  return posted.kind === 'adopted' ? 'the message of an earlier attempt was found' : null;
}
