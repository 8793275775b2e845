import type { MessageStore, PostedMessage } from '../../stores/message-store.ts';
import { messageOf } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';
import type { MessageRef, Place, SlackApi } from './api.ts';
import type { SlackMessage } from './blocks.ts';
import { SlackCallError } from './errors.ts';
import { CREATED, SESSION } from './slots.ts';

/**
 * One message a slot, whatever happens in between (L5, L6). First the slot is claimed with the time of the attempt, then the
 * message is sent, then its place is written down. A sure failure clears the attempt; an attempt that is still there may have
 * succeeded, so the channel is searched for the event's mark before anything is sent again.
 */

export interface PostDeps {
  messages: MessageStore;
  api: SlackApi;
  log: Log;
  now(): number;
}

export interface PostRequest {
  taskId: string;
  eventId: string;
  slot: string;
  place: Place;
  message: SlackMessage;
  /** As read when the delivery began. */
  known: readonly PostedMessage[];
}

export type Posted = { kind: 'posted' | 'adopted' | 'present' } | { kind: 'taken'; by: string };

/** Clocks of Slack and of this machine differ by less than this, in milliseconds. */
const CLOCK_SLACK_MS = 60_000;

export const CHANNEL = 'slack';

/** Throws SlackCallError when the message was not sent, or may not have been. */
export async function postOnce(deps: PostDeps, request: PostRequest): Promise<Posted> {
  const { messages, api, now } = deps;
  const { taskId, eventId, slot, place, message } = request;
  const key = { taskId, channel: CHANNEL, slot };
  const before = request.known.find((one) => one.slot === slot);

  if (before?.ref)
    return before.event_id === eventId ? { kind: 'present' } : { kind: 'taken', by: before.event_id };
  if (before) {
    const adopted = before.attempted_at_ms === null ? undefined : await adopt(deps, request, before);
    if (adopted)
      return before.event_id === eventId ? { kind: 'adopted' } : { kind: 'taken', by: before.event_id };
    // The event that had the slot was given up, without a message.
    if (before.event_id !== eventId) await messages.release(key, before.event_id);
  }

  const claimed = await messages.claim(key, eventId, now());
  if (claimed.event_id !== eventId) return { kind: 'taken', by: claimed.event_id };
  try {
    const sent = await api.post(place, message, { event_id: eventId, task_id: taskId, slot });
    await messages.update(key, eventId, { ref: refOf(sent, place), attempted_at_ms: null });
    return { kind: 'posted' };
  } catch (error) {
    await afterFailure(deps, key, eventId, error, before?.attempted_at_ms ?? null);
    throw error;
  }
}

/** A sure failure takes the attempt back (to an earlier one that is still unresolved), a final one frees the slot. */
async function afterFailure(
  { messages }: PostDeps,
  key: { taskId: string; channel: string; slot: string },
  eventId: string,
  error: unknown,
  earlierAttempt: number | null,
): Promise<void> {
  if (!(error instanceof SlackCallError) || error.failure.ambiguous || earlierAttempt !== null) return;
  if (error.failure.terminal) await messages.release(key, eventId);
  else await messages.update(key, eventId, { attempted_at_ms: null });
}

/** Looks for the message of an attempt whose answer was lost; of several the first stays. */
async function adopt(
  deps: PostDeps,
  { taskId, slot, place }: PostRequest,
  { event_id, attempted_at_ms }: PostedMessage,
): Promise<MessageRef | undefined> {
  const { messages, api, log } = deps;
  let found: MessageRef[];
  try {
    found = await api.find(place, event_id, ((attempted_at_ms ?? 0) - CLOCK_SLACK_MS) / 1_000);
  } catch (error) {
    if (!(error instanceof SlackCallError && error.failure.terminal)) throw error;
    // It may not look: a message twice is better than none.
    log.warn(
      { event: 'fanout.slack.adopt_failed', task_id: taskId, slot, error: messageOf(error) },
      'the channel could not be searched for a message whose answer was lost',
    );
    return undefined;
  }
  const [first, ...duplicates] = found;
  if (!first) return undefined;
  // Before the slot is filled: what can't be taken away now is found again by the next attempt.
  for (const duplicate of duplicates) await removeDuplicate(deps, duplicate, { taskId, slot });
  await messages.update({ taskId, channel: CHANNEL, slot }, event_id, {
    ref: refOf(first, place),
    attempted_at_ms: null,
  });
  return first;
}

/** Throws when another try may help; what Slack won't do is only told. */
async function removeDuplicate(
  { api, log }: PostDeps,
  duplicate: MessageRef,
  { taskId, slot }: { taskId: string; slot: string },
): Promise<void> {
  const fields = { event: duplicateEvent(slot), task_id: taskId, slot, ts: duplicate.ts };
  try {
    await api.remove(duplicate);
  } catch (error) {
    const { code, passing } = error instanceof SlackCallError ? error.failure : { code: '', passing: true };
    if (code !== 'message_not_found') {
      log.error(
        {
          ...fields,
          event: 'fanout.slack.dup_delete_failed',
          error_id: 'FANOUT_SLACK_DUP_DELETE_FAILED',
          error: messageOf(error),
        },
        'a second message could not be taken away',
      );
      if (passing) throw error;
      return;
    }
  }
  log.warn(fields, 'a second message was taken away');
}

function duplicateEvent(slot: string): string {
  if (slot === CREATED) return 'fanout.slack.task_created_dup_delete';
  return slot === SESSION ? 'fanout.slack.session_dup_delete' : 'fanout.slack.dup_delete';
}

const refOf = ({ channel, ts }: MessageRef, { threadTs }: Place): Record<string, string> => ({
  channel,
  ts,
  ...(threadTs === undefined ? {} : { thread_ts: threadTs }),
});
