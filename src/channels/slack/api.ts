import type { WebClient } from '@slack/web-api';
import { z } from 'zod';
import type { SlackMessage } from './blocks.ts';
import { SlackCallError } from './errors.ts';
import { isExpired, type Workspaces } from './workspaces.ts';

/** A message in Slack. */
export interface MessageRef {
  channel: string;
  ts: string;
}

/** Where messages go, and under which one. */
export interface Place {
  /** A channel's id, or a user's for a direct message. */
  postTo: string;
  /** The real channel, when it is known before anything was posted. */
  channel: string | undefined;
  threadTs: string | undefined;
}

/** What our messages carry, so that they are found again. */
export interface Mark {
  event_id: string;
  task_id: string;
  slot: string;
}

/** One workspace's Web API. Every method throws SlackCallError. */
export interface SlackApi {
  post(place: Place, message: SlackMessage, mark: Mark): Promise<MessageRef>;
  /** Messages with this event's mark since a time (seconds), oldest first. */
  find(place: Place, eventId: string, sinceSeconds: number): Promise<MessageRef[]>;
  remove(ref: MessageRef): Promise<void>;
  react(ref: MessageRef, name: string): Promise<void>;
  unreact(ref: MessageRef, name: string): Promise<void>;
  /** Says something to one person only. */
  whisper(channel: string, userId: string, text: string, threadTs?: string): Promise<void>;
}

/** Calls a method of a workspace (or of none) and returns what Slack says. Throws SlackCallError. */
export type SlackCaller = (
  token: string | undefined,
  method: string,
  args: Record<string, unknown>,
) => Promise<Record<string, unknown>>;

const MARK_TYPE = 'bgagent_message';
/** Pages of a lookup. */
const PAGES = 10;
const PAGE = 200;

const refSchema = z.object({ channel: z.string(), ts: z.string() });
const openedSchema = z.object({ channel: z.object({ id: z.string() }) });
const pageSchema = z.object({
  messages: z
    .array(
      z.object({
        ts: z.string(),
        metadata: z
          .object({ event_type: z.string(), event_payload: z.record(z.string(), z.unknown()) })
          .optional(),
      }),
    )
    .default([]),
  response_metadata: z.object({ next_cursor: z.string().optional() }).optional(),
});

/**
 * Slack's own client below, loaded at the first call, without its retries: those are the fan-out's. `timeoutMs` for each call.
 */
export function createSlackCaller({ apiUrl, timeoutMs }: { apiUrl: string; timeoutMs: number }): SlackCaller {
  let client: Promise<WebClient> | undefined;
  const load = async (): Promise<WebClient> => {
    const { WebClient: Client, LogLevel } = await import('@slack/web-api');
    const ignore = (): undefined => undefined;
    const silent = {
      debug: ignore,
      info: ignore,
      warn: ignore,
      error: ignore,
      setLevel: ignore,
      setName: ignore,
    };
    return new Client(undefined, {
      slackApiUrl: apiUrl,
      retryConfig: { retries: 0 },
      rejectRateLimitedCalls: true,
      timeout: timeoutMs,
      allowAbsoluteUrls: false,
      // It would print the texts of messages; what matters is in the errors.
      logger: { ...silent, getLevel: () => LogLevel.ERROR },
      fetch: fetchLimited,
    });
  };
  return async (token, method, args) => {
    try {
      client ??= load();
      const present = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
      return {
        ...(await (await client).apiCall(method, token === undefined ? present : { ...present, token })),
      };
    } catch (error) {
      throw new SlackCallError(method, error);
    }
  };
}

/** A 429 that doesn't say how long is given a time: the client can't tell it from a crash otherwise. */
async function fetchLimited(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.status !== 429 || Number(response.headers.get('retry-after')) > 0) return response;
  const headers = new Headers(response.headers);
  headers.set('retry-after', '30');
  return new Response(await response.arrayBuffer(), { status: 429, headers });
}

export function createSlackApi({
  teamId,
  workspaces,
  callSlack,
}: {
  teamId: string;
  workspaces: Workspaces;
  callSlack: SlackCaller;
}): SlackApi {
  async function call(method: string, args: Record<string, unknown>): Promise<Record<string, unknown>> {
    const token = await workspaces.token(teamId);
    try {
      return await callSlack(token, method, args);
    } catch (error) {
      const fresh = isExpired(error) ? await workspaces.renew(teamId) : undefined;
      if (fresh === undefined) throw error;
      return callSlack(fresh, method, args);
    }
  }

  /** The real channel of a direct message. */
  async function open(postTo: string): Promise<string> {
    if (!/^[UW]/.test(postTo)) return postTo;
    const { channel } = openedSchema.parse(await call('conversations.open', { users: postTo }));
    return channel.id;
  }

  return {
    async post({ postTo, threadTs }, { text, blocks }, mark) {
      const answer = await call('chat.postMessage', {
        channel: postTo,
        thread_ts: threadTs,
        text,
        blocks,
        parse: 'none',
        link_names: false,
        unfurl_links: false,
        unfurl_media: false,
        metadata: { event_type: MARK_TYPE, event_payload: mark },
      });
      return refSchema.parse(answer);
    },

    async find({ channel, postTo, threadTs }, eventId, sinceSeconds) {
      const found: MessageRef[] = [];
      const where = channel ?? (await open(postTo));
      let cursor: string | undefined;
      for (let page = 0; page < PAGES; page++) {
        const answer = pageSchema.parse(
          await call(threadTs === undefined ? 'conversations.history' : 'conversations.replies', {
            channel: where,
            ts: threadTs,
            oldest: sinceSeconds.toFixed(6),
            inclusive: true,
            limit: PAGE,
            include_all_metadata: true,
            cursor,
          }),
        );
        for (const { ts, metadata } of answer.messages)
          if (metadata?.event_type === MARK_TYPE && metadata.event_payload.event_id === eventId)
            found.push({ channel: where, ts });
        cursor = answer.response_metadata?.next_cursor || undefined;
        if (cursor === undefined) break;
      }
      return found.sort((a, b) => Number(a.ts) - Number(b.ts));
    },

    async remove({ channel, ts }) {
      await call('chat.delete', { channel, ts });
    },
    async react({ channel, ts }, name) {
      await call('reactions.add', { channel, timestamp: ts, name });
    },
    async unreact({ channel, ts }, name) {
      await call('reactions.remove', { channel, timestamp: ts, name });
    },
    async whisper(channel, user, text, threadTs) {
      await call('chat.postEphemeral', { channel, user, text, thread_ts: threadTs, parse: 'none' });
    },
  };
}
