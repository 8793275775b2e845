import { z } from 'zod';

/**
 * What a repository or a task says of one channel. Left out = the platform's default. Where messages go (a Slack channel,
 * addresses) is for platform and repository to say; from a task only `enabled` and `events` are heard.
 */
export const channelOverridesSchema = z.looseObject({
  enabled: z.boolean().optional(),
  /** Types of events; `default` stands for the channel's own list, and an empty list mutes. */
  events: z.array(z.string().max(100)).max(100).optional(),
  /** Of `slack`: the channel that is told, as `<team id>/<channel id>`. */
  channel: z
    .string()
    .regex(
      /^[TE][A-Z0-9]{1,30}\/[CGDU][A-Z0-9]{1,30}$/,
      'must be `<team id>/<channel id>`, like T012AB/C345DE',
    )
    .optional(),
  /** Of `email`: who gets it. */
  to: z.array(z.email('must be mail addresses')).max(50).optional(),
});
export type ChannelOverrides = z.infer<typeof channelOverridesSchema>;

/** By channel: `{slack: {events: ['default', 'pr_created']}, email: {enabled: false}}`. */
export const notificationsSchema = z.record(z.string().max(50), channelOverridesSchema);
export type Notifications = z.infer<typeof notificationsSchema>;
