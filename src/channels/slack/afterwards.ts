import type { MessageStore, PostedMessage } from '../../stores/message-store.ts';
import { messageOf } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';
import { TERMINAL_EVENT } from '../../task/status.ts';
import type { SlackApi } from './api.ts';
import { addReaction, removeMessage, removeReaction } from './best-effort.ts';
import { CHANNEL } from './post.ts';
import { CREATED, PASSING, REACTIONS, SESSION } from './slots.ts';
import { rootOf, type Target } from './target.ts';

interface Deps {
  messages: MessageStore;
  api: SlackApi;
  log: Log;
}

const ENDS: readonly string[] = Object.values(TERMINAL_EVENT);

/** Reactions, and at the end of a task the messages that were only passing. All of it is best effort and safe to repeat. */
export async function afterwards(
  deps: Deps,
  {
    taskId,
    type,
    target,
    before,
  }: { taskId: string; type: string; target: Target; before: readonly PostedMessage[] },
): Promise<void> {
  const kept = await reread(deps, taskId, before);
  const root = rootOf(target, kept);
  const reaction = REACTIONS[type];
  if (root && reaction !== undefined) {
    await addReaction(deps, root, reaction, taskId);
    for (const earlier of earlierReactions(type, kept))
      if (earlier !== reaction) await removeReaction(deps, root, earlier, taskId);
  }
  if (!ENDS.includes(type)) return;
  for (const { slot, event_id, ref, deleted } of kept) {
    const passing = PASSING.some((name) => name === slot);
    if (!passing || deleted || ref?.channel === undefined || ref.ts === undefined) continue;
    // A root without a mention carries the thread and the reactions: without it there would be a tombstone.
    if (ref.ts === root?.ts) continue;
    if (await removeMessage(deps, { channel: ref.channel, ts: ref.ts }, taskId))
      await deps.messages.update({ taskId, channel: CHANNEL, slot }, event_id, { deleted: true });
  }
}

/** What was posted meanwhile counts, too; when that can't be read, what was known before has to do (L4). */
async function reread(
  { messages, log }: Deps,
  taskId: string,
  before: readonly PostedMessage[],
): Promise<readonly PostedMessage[]> {
  try {
    return await messages.list(taskId, CHANNEL);
  } catch (error) {
    log.warn(
      { event: 'fanout.slack.cleanup_reread_failed', task_id: taskId, error: messageOf(error) },
      'the messages of a task could not be read again',
    );
    return before;
  }
}

/** What the messages that exist have left on the root. */
function earlierReactions(type: string, kept: readonly PostedMessage[]): string[] {
  const posted = (slot: string): boolean => kept.some((one) => one.slot === slot && one.ref !== null);
  return [
    ...(type !== 'task_created' && posted(CREATED) ? ['eyes'] : []),
    ...(type !== 'task_created' && type !== 'session_started' && posted(SESSION)
      ? ['hourglass_flowing_sand']
      : []),
  ];
}
