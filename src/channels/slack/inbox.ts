import { createHash } from 'node:crypto';
import { BgAgentError } from '../../task/errors.ts';
import { parseJson } from '../../task/json.ts';
import type { Log } from '../../task/log.ts';
import type { ChannelInbox, InboundAnswer, InboundRequest, TaskActions } from '../channel.ts';
import { createSlackApi, type SlackCaller } from './api.ts';
import { createBackground } from './background.ts';
import { type Asker, type CommandDeps, cancel, retry, runCommand, submit } from './commands.ts';
import { install } from './install.ts';
import {
  commandSchema,
  envelopeSchema,
  interactionSchema,
  messageEventSchema,
  tokensRevokedSchema,
} from './payloads.ts';
import type { People } from './people.ts';
import { CANCEL_ACTION, RETRY_ACTION } from './render.ts';
import { typedText } from './requests.ts';
import { isSigned } from './signature.ts';
import type { Workspaces } from './workspaces.ts';

export interface SlackInboxOptions {
  workspaces: Workspaces;
  callSlack: SlackCaller;
  people: People;
  actions: TaskActions;
  log: Log;
  now(): number;
  /** Answers to commands and buttons are posted only to addresses that begin so. Default: Slack's. */
  responseBase?: string;
  /** How long an answer waits for the work, in milliseconds. Default 1,500: Slack waits for 3 s. */
  momentMs?: number;
}

/** Requests remembered, so that what Slack sends again is not done again; the keys of tasks hold for ever. */
const REMEMBERED = 10_000;
const RESPONSE_TIMEOUT_MS = 5_000;

const OK: InboundAnswer = { body: '', contentType: 'text/plain' };
const json = (value: unknown): InboundAnswer => ({
  body: JSON.stringify(value),
  contentType: 'application/json',
});
const notOurs = (message: string): BgAgentError => new BgAgentError('VALIDATION_ERROR', message);

/** What comes back from Slack: mentions, direct messages, commands, buttons, installations (L10). */
export function createSlackInbox(options: SlackInboxOptions): ChannelInbox {
  const {
    workspaces,
    callSlack,
    people,
    actions,
    log,
    now,
    responseBase = 'https://hooks.slack.com/',
  } = options;
  const background = createBackground({
    log,
    ...(options.momentMs === undefined ? {} : { momentMs: options.momentMs }),
  });
  const deps: CommandDeps = { actions, people, log };
  const seen = new Set<string>();

  function isRepeat(key: string): boolean {
    if (seen.has(key)) return true;
    const [oldest] = seen;
    if (seen.size >= REMEMBERED && oldest !== undefined) seen.delete(oldest);
    seen.add(key);
    return false;
  }

  async function events(body: string): Promise<InboundAnswer> {
    const parsed = envelopeSchema.safeParse(parseJson(body));
    if (!parsed.success) throw notOurs('not an event of Slack');
    const envelope = parsed.data;
    if (envelope.type === 'url_verification') return json({ challenge: envelope.challenge });
    if (envelope.type === 'app_rate_limited') {
      log.warn({ event: 'slack.inbox.rate_limited' }, 'Slack holds back events of this app');
      return OK;
    }
    const { event_id, team_id, event } = envelope;
    if (isRepeat(event_id)) return OK;
    const started = await background.start(event.type, () => takeEvent(team_id, event_id, event));
    if (started.kind !== 'failed') return OK;
    // Slack sends it again.
    seen.delete(event_id);
    throw new BgAgentError('SERVICE_UNAVAILABLE', 'the event could not be worked on; send it again');
  }

  async function takeEvent(teamId: string, eventId: string, event: { type: string }): Promise<void> {
    if (event.type === 'app_uninstalled') return removeTeam(teamId);
    if (event.type === 'tokens_revoked') {
      const revoked = tokensRevokedSchema.safeParse(event);
      return revoked.success && revoked.data.tokens.bot.length > 0 ? removeTeam(teamId) : undefined;
    }
    const { data: message } = messageEventSchema.safeParse(event);
    if (message?.user === undefined || message.bot_id !== undefined || message.subtype !== undefined) return;
    if (message.type === 'message' && message.channel_type !== 'im') return;
    const root = message.thread_ts ?? message.ts;
    const metadata = {
      team_id: teamId,
      channel_id: message.channel,
      user_id: message.user,
      thread_ts: root,
      message_ts: message.ts,
    };
    const asker = {
      teamId: message.user_team ?? teamId,
      userId: message.user,
      metadata,
      key: keyOf(eventId),
    };
    const answer = await submit(deps, asker, typedText(message.text));
    if (answer !== undefined)
      await createSlackApi({ teamId, workspaces, callSlack }).whisper(
        message.channel,
        message.user,
        answer,
        message.thread_ts,
      );
  }

  async function removeTeam(teamId: string): Promise<void> {
    await workspaces.remove(teamId);
    await people.forgetTeam(teamId);
    log.info({ event: 'slack.workspace.removed', team_id: teamId }, 'a workspace removed the app');
  }

  async function commands(body: string): Promise<InboundAnswer> {
    const parsed = commandSchema.safeParse(Object.fromEntries(new URLSearchParams(body)));
    if (!parsed.success) throw notOurs('not a command of Slack');
    const { team_id, channel_id, user_id, text, trigger_id, response_url } = parsed.data;
    if (isRepeat(trigger_id)) return OK;
    const asker: Asker = {
      teamId: team_id,
      userId: user_id,
      key: keyOf(trigger_id),
      metadata: { team_id, channel_id, user_id },
    };
    const started = await background.start(
      'command',
      () => runCommand(deps, asker, typedText(text)),
      (answer) => respond(response_url, answer),
    );
    if (started.kind === 'done') return json({ response_type: 'ephemeral', text: started.value });
    return json({
      response_type: 'ephemeral',
      text: started.kind === 'later' ? 'Working on it…' : 'Something went wrong. Try again in a moment.',
    });
  }

  async function interactions(body: string): Promise<InboundAnswer> {
    const parsed = interactionSchema.safeParse(parseJson(new URLSearchParams(body).get('payload') ?? ''));
    if (!parsed.success) throw notOurs('not an interaction of Slack');
    const { team, user, actions: pressed, response_url } = parsed.data;
    for (const { action_id, action_ts, value = '' } of pressed) {
      const act = action_id === CANCEL_ACTION ? cancel : action_id === RETRY_ACTION ? retry : undefined;
      // A link is followed by the browser; Slack tells about it all the same.
      if (!act) continue;
      const press = `${action_id} ${value} ${user.id} ${action_ts}`;
      if (isRepeat(press)) continue;
      const asker = { teamId: user.team_id ?? team.id, userId: user.id, metadata: {}, key: keyOf(press) };
      await background.start(action_id, async () => respond(response_url, await act(deps, asker, value)));
    }
    return OK;
  }

  /** Says it to the one who asked. */
  async function respond(url: string | undefined, text: string): Promise<void> {
    if (url === undefined || !url.startsWith(responseBase)) return;
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ response_type: 'ephemeral', replace_original: false, text }),
      redirect: 'error',
      signal: AbortSignal.timeout(RESPONSE_TIMEOUT_MS),
    });
    if (!answer.ok)
      log.warn(
        { event: 'slack.inbox.answer_refused', status: answer.status },
        'Slack did not take an answer',
      );
  }

  const kinds: Readonly<Record<string, (body: string) => Promise<InboundAnswer>>> = {
    events,
    commands,
    interactions,
  };
  return {
    async receive(kind, request: InboundRequest) {
      if (kind === 'oauth/callback') return install({ workspaces, callSlack, log, now }, request.query);
      const take = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
      if (!take) throw new BgAgentError('ROUTE_NOT_FOUND', `nothing of Slack is taken at ${kind}`);
      if (!isSigned(request, await workspaces.signingSecret(), now())) {
        log.warn({ event: 'slack.inbox.unsigned', kind }, 'a request that Slack has not signed was refused');
        throw new BgAgentError('UNAUTHORIZED', 'not signed by Slack, or too old');
      }
      return take(request.body);
    },
    settled: background.settled,
  };
}

/** An idempotency key: the same for the same request of Slack. */
const keyOf = (id: string): string => `slack-${createHash('sha256').update(id).digest('hex').slice(0, 40)}`;
