import { messageOf } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';
import type { MessageRef, SlackApi } from './api.ts';
import { SlackCallError } from './errors.ts';

/** Reactions and deletions never fail a delivery (L8): what Slack says is a warning, what the network does is an error. */

interface Deps {
  api: SlackApi;
  log: Log;
}

export async function addReaction(
  { api, log }: Deps,
  root: MessageRef,
  name: string,
  taskId: string,
): Promise<void> {
  await attempt(() => api.react(root, name), 'already_reacted', {
    log,
    event: 'fanout.slack.reaction_add',
    errorId: 'FANOUT_SLACK_REACTION_NETWORK',
    fields: { task_id: taskId, reaction: name },
  });
}

export async function removeReaction(
  { api, log }: Deps,
  root: MessageRef,
  name: string,
  taskId: string,
): Promise<void> {
  await attempt(() => api.unreact(root, name), 'no_reaction', {
    log,
    event: 'fanout.slack.reaction_remove',
    errorId: 'FANOUT_SLACK_REACTION_NETWORK',
    fields: { task_id: taskId, reaction: name },
  });
}

/** True when the message is gone, whoever took it away. */
export const removeMessage = ({ api, log }: Deps, ref: MessageRef, taskId: string): Promise<boolean> =>
  attempt(() => api.remove(ref), 'message_not_found', {
    log,
    event: 'fanout.slack.message_delete',
    errorId: 'FANOUT_SLACK_DELETE_NETWORK',
    fields: { task_id: taskId, ts: ref.ts },
  });

/** `benign`: the answer that means that there was nothing to do. */
async function attempt(
  work: () => Promise<void>,
  benign: string,
  {
    log,
    event,
    errorId,
    fields,
  }: { log: Log; event: string; errorId: string; fields: Record<string, unknown> },
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const failure = error instanceof SlackCallError ? error.failure : undefined;
    if (failure?.code === benign) return true;
    const said = { ...fields, error: messageOf(error) };
    if (failure?.answered) log.warn({ event: `${event}_api_error`, ...said }, 'Slack did not do a side job');
    else
      log.error(
        { event: `${event}_network_error`, error_id: errorId, ...said },
        'Slack could not be reached for a side job',
      );
    return false;
  }
}
