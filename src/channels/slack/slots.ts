/**
 * Which events share a message (L5): the ends of a task and `task_stranded` make one, whichever comes first; an agent's error never
 * takes the place of an end. Events that are not here have a message each.
 */
const SLOTS: Readonly<Record<string, string>> = {
  task_created: 'slack_created',
  session_started: 'slack_session',
  task_completed: 'slack_notified_terminal',
  task_failed: 'slack_notified_terminal',
  task_cancelled: 'slack_notified_terminal',
  task_timed_out: 'slack_notified_terminal',
  task_stranded: 'slack_notified_terminal',
  agent_error: 'slack_dispatched_agent_error',
  pr_created: 'slack_pr_created',
};

export const CREATED = 'slack_created';
export const SESSION = 'slack_session';

/** Messages that are taken away at the end of the task (L4). */
export const PASSING = [CREATED, SESSION] as const;

export const slotOf = (type: string, eventId: string): string => SLOTS[type] ?? `slack_${type}_${eventId}`;

/** Reactions on the root (L3); other events leave them. */
export const REACTIONS: Readonly<Record<string, string>> = {
  task_created: 'eyes',
  session_started: 'hourglass_flowing_sand',
  task_completed: 'white_check_mark',
  task_failed: 'x',
  task_cancelled: 'no_entry_sign',
  task_timed_out: 'hourglass',
  task_stranded: 'x',
};
