import type { PostedMessage } from '../../stores/message-store.ts';
import type { ChannelOverrides } from '../../task/notifications.ts';
import type { Task } from '../../task/task.ts';
import type { MessageRef, Place } from './api.ts';

/** Where a task's people are. */
export interface Target {
  teamId: string;
  /** Where messages are posted: a direct message goes to its user. */
  postTo: string;
  /** The real channel, where it is known. */
  channel: string | undefined;
  /** The mention: replies go below it, and it wears the reactions. */
  mention: { threadTs: string; ref: MessageRef } | undefined;
}

const CHANNEL = /^([TE][A-Z0-9]{1,30})\/([CGDU][A-Z0-9]{1,30})$/;

/**
 * A task from Slack is answered where it was asked for (L1); others are told in the channel that the repository (`channel`) or
 * the platform names, as `<team id>/<channel id>`. Undefined: nobody is to be told.
 */
export function targetOf(
  { channel_source, channel_metadata }: Pick<Task, 'channel_source' | 'channel_metadata'>,
  overrides: ChannelOverrides,
  notifyChannel: string | null,
): Target | undefined {
  if (channel_source === 'slack' && channel_metadata) {
    const { team_id, channel_id, user_id, thread_ts, message_ts } = channel_metadata;
    if (team_id === undefined || channel_id === undefined) return undefined;
    const direct = channel_id.startsWith('D');
    return {
      teamId: team_id,
      postTo: direct && user_id !== undefined ? user_id : channel_id,
      channel: channel_id,
      mention:
        thread_ts === undefined
          ? undefined
          : { threadTs: thread_ts, ref: { channel: channel_id, ts: message_ts ?? thread_ts } },
    };
  }
  const [, teamId, channel] = CHANNEL.exec(overrides.channel ?? notifyChannel ?? '') ?? [];
  if (teamId === undefined || channel === undefined) return undefined;
  return {
    teamId,
    postTo: channel,
    channel: /^[CG]/.test(channel) ? channel : undefined,
    mention: undefined,
  };
}

/** The first message that stands on its own: everything else of the task goes below it. */
export function rootOf(target: Target, messages: readonly PostedMessage[]): MessageRef | undefined {
  if (target.mention) return target.mention.ref;
  const own = messages
    .map(({ ref }) => ref)
    .filter((ref) => ref?.ts !== undefined && ref.channel !== undefined && ref.thread_ts === undefined);
  const [first] = own.sort((a, b) => Number(a?.ts) - Number(b?.ts));
  return first?.ts !== undefined && first.channel !== undefined
    ? { channel: first.channel, ts: first.ts }
    : undefined;
}

/** Where the next message goes. */
export function placeOf(target: Target, root: MessageRef | undefined): Place {
  return {
    postTo: target.postTo,
    channel: root?.channel ?? target.channel,
    threadTs: target.mention?.threadTs ?? root?.ts,
  };
}
