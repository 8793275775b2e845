import { blockProblems } from './slack-blocks.ts';

/** What a Slack workspace keeps, and what the Web API does to it. */

export interface SlackMessageRecord {
  channel: string;
  ts: string;
  text: string;
  blocks: unknown[];
  thread_ts: string | undefined;
  metadata: { event_type: string; event_payload: Record<string, unknown> } | undefined;
  reactions: string[];
  deleted: boolean;
}

export interface Ephemeral {
  channel: string;
  user: string;
  text: string;
  thread_ts: string | undefined;
}

export type Args = Record<string, string>;
type Answer = Record<string, unknown>;

export interface SlackWorkspace {
  messages: SlackMessageRecord[];
  ephemeral: Ephemeral[];
  channels: Set<string>;
  /** A person's message, such as a mention; returns its ts. */
  say(channel: string, text: string, threadTs?: string): string;
  /** Messages of bots that are there, oldest first. */
  visible(channel?: string): SlackMessageRecord[];
  /** Does what the method does; the answer has `ok: false` and an error otherwise. */
  perform(method: string, args: Args): Answer;
}

const failed = (error: string): Answer => ({ ok: false, error });

export function createSlackWorkspace({
  channels,
  now = Date.now,
}: {
  channels: string[];
  now?: () => number;
}): SlackWorkspace {
  let lastTs = 0;
  /** Microseconds since 1970, each different. */
  const nextTs = (): string => {
    lastTs = Math.max(lastTs + 1, now() * 1_000);
    return `${Math.floor(lastTs / 1e6)}.${String(lastTs % 1e6).padStart(6, '0')}`;
  };
  const messages: SlackMessageRecord[] = [];
  const byPlace = new Map<string, SlackMessageRecord>();
  const known = new Set(channels);
  const ephemeral: Ephemeral[] = [];

  const find = (channel = '', ts = ''): SlackMessageRecord | undefined => {
    const found = byPlace.get(`${channel} ${ts}`);
    return found?.deleted ? undefined : found;
  };

  function add(message: Omit<SlackMessageRecord, 'ts' | 'reactions' | 'deleted'>): SlackMessageRecord {
    const record = { ...message, ts: nextTs(), reactions: [], deleted: false };
    messages.push(record);
    byPlace.set(`${record.channel} ${record.ts}`, record);
    return record;
  }

  /** A user's id stands for the direct message with them, when posting only. */
  function channelToPost(id = ''): string | undefined {
    if (!id.startsWith('U')) return known.has(id) ? id : undefined;
    known.add(`D${id.slice(1)}`);
    return `D${id.slice(1)}`;
  }

  function post(args: Args): Answer {
    const channel = channelToPost(args.channel);
    if (channel === undefined) return failed('channel_not_found');
    const blocks: unknown = args.blocks === undefined ? [] : JSON.parse(args.blocks);
    if (args.blocks !== undefined && blockProblems(blocks).length > 0) return failed('invalid_blocks');
    if (!args.text && args.blocks === undefined) return failed('no_text');
    if ((args.text ?? '').length > 40_000) return failed('msg_too_long');
    const { ts } = add({
      channel,
      text: args.text ?? '',
      blocks: blocks as unknown[],
      thread_ts: args.thread_ts,
      metadata: args.metadata === undefined ? undefined : JSON.parse(args.metadata),
    });
    return { ok: true, channel, ts };
  }

  function read(args: Args, belongs: (message: SlackMessageRecord) => boolean): Answer {
    if (!known.has(args.channel ?? '')) return failed('channel_not_found');
    const limit = Number(args.limit ?? 100);
    const from = Number(args.cursor ?? 0);
    const found = messages
      .filter((message) => message.channel === args.channel && !message.deleted && belongs(message))
      .filter((message) => Number(message.ts) >= Number(args.oldest ?? 0))
      .reverse();
    const more = found.length > from + limit;
    return {
      ok: true,
      has_more: more,
      messages: found.slice(from, from + limit).map(({ ts, text, thread_ts, metadata }) => ({
        type: 'message',
        ts,
        text,
        thread_ts,
        ...(args.include_all_metadata === 'true' ? { metadata } : {}),
      })),
      response_metadata: { next_cursor: more ? String(from + limit) : '' },
    };
  }

  const methods: Record<string, (args: Args) => Answer> = {
    'chat.postMessage': post,
    'chat.postEphemeral': ({ channel = '', user = '', text = '', thread_ts }) => {
      ephemeral.push({ channel, user, text, thread_ts });
      return { ok: true, message_ts: nextTs() };
    },
    'chat.delete': ({ channel, ts }) => {
      const found = find(channel, ts);
      if (!found) return failed(known.has(channel ?? '') ? 'message_not_found' : 'channel_not_found');
      found.deleted = true;
      return { ok: true, channel: channel ?? '', ts: ts ?? '' };
    },
    'reactions.add': ({ channel, timestamp, name = '' }) => {
      const found = find(channel, timestamp);
      if (!found) return failed('message_not_found');
      if (found.reactions.includes(name)) return failed('already_reacted');
      found.reactions.push(name);
      return { ok: true };
    },
    'reactions.remove': ({ channel, timestamp, name = '' }) => {
      const found = find(channel, timestamp);
      if (!found) return failed('message_not_found');
      if (!found.reactions.includes(name)) return failed('no_reaction');
      found.reactions = found.reactions.filter((one) => one !== name);
      return { ok: true };
    },
    'conversations.open': ({ users }) => ({ ok: true, channel: { id: channelToPost(users) } }),
    'conversations.history': (args) => read(args, ({ thread_ts }) => thread_ts === undefined),
    'conversations.replies': (args) =>
      read(args, ({ ts, thread_ts }) => ts === args.ts || thread_ts === args.ts),
  };

  return {
    messages,
    ephemeral,
    channels: known,
    say: (channel, text, thread_ts) => add({ channel, text, blocks: [], thread_ts, metadata: undefined }).ts,
    visible: (channel) =>
      messages.filter(
        (message) =>
          !message.deleted && message.metadata !== undefined && (!channel || message.channel === channel),
      ),
    perform: (method, args) => methods[method]?.(args) ?? failed('unknown_method'),
  };
}
