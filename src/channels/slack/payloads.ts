import { z } from 'zod';

/** What Slack sends, as far as it matters here. */

const id = z.string().regex(/^[A-Z0-9]{1,40}$/);
const ts = z.string().regex(/^[0-9]{1,12}\.[0-9]{1,9}$/);

export const envelopeSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('url_verification'), challenge: z.string().max(1_000) }),
  z.object({
    type: z.literal('event_callback'),
    team_id: id,
    event_id: z.string().max(100),
    event: z.looseObject({ type: z.string() }),
  }),
  z.object({ type: z.literal('app_rate_limited') }),
]);

/** A mention, or a direct message. */
export const messageEventSchema = z.object({
  type: z.enum(['app_mention', 'message']),
  channel: id,
  channel_type: z.string().optional(),
  user: id.optional(),
  /** Of another workspace, in a shared channel. */
  user_team: id.optional(),
  bot_id: z.string().optional(),
  subtype: z.string().optional(),
  text: z.string().default(''),
  ts,
  thread_ts: ts.optional(),
});

export const tokensRevokedSchema = z.object({ tokens: z.object({ bot: z.array(z.string()).default([]) }) });

export const commandSchema = z.object({
  team_id: id,
  channel_id: id,
  user_id: id,
  text: z.string().max(20_000).default(''),
  trigger_id: z.string().max(200),
  response_url: z.url().optional(),
});

export const interactionSchema = z.object({
  type: z.string(),
  team: z.object({ id }),
  user: z.object({ id, team_id: id.optional() }),
  response_url: z.url().optional(),
  actions: z
    .array(
      z.object({
        action_id: z.string(),
        action_ts: z.string().default(''),
        value: z.string().max(100).optional(),
      }),
    )
    .max(25)
    .default([]),
});

export const installedSchema = z.object({
  team: z.object({ id }),
  access_token: z.string(),
  refresh_token: z.string().optional(),
});
