import { z } from 'zod';

/**
 * What a repository or a task says of one channel. Left out = the platform's default. Where messages go (a Slack channel,
 * addresses) is for platform and repository to say; from a task only `enabled` and `events` are heard.
 */
export const channelOverridesSchema = z.looseObject({
  enabled: z.boolean().optional(),
  /** Types of events; `default` stands for the channel's own list, and an empty list mutes. */
  events: z.array(z.string().max(100)).max(100).optional(),
});
export type ChannelOverrides = z.infer<typeof channelOverridesSchema>;

/** By channel: `{slack: {events: ['default', 'pr_created']}, email: {enabled: false}}`. */
export const notificationsSchema = z.record(z.string().max(50), channelOverridesSchema);
export type Notifications = z.infer<typeof notificationsSchema>;
