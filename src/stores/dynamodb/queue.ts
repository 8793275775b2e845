/** Who may have a slot: pure, over what was read of users and queue. */

/** A user with something in the queue. */
export interface Waiting {
  userId: string;
  /** How many more of the user's tasks may be active. */
  free: number;
  /** The user's first queue keys, in order: at least as many as `free`, when there are so many. */
  keys: readonly string[];
}

/** After every queue key. */
export const END = '~';

/**
 * The queue keys before `before` that may have a slot, in the order of the queue: each user's first ones, as many as the user
 * has room, merged until the system has none.
 */
export const letIn = (waiting: readonly Waiting[], room: number, before = END): string[] =>
  waiting
    .flatMap(({ free, keys }) => keys.filter((key) => key < before).slice(0, Math.max(0, free)))
    .sort()
    .slice(0, Math.max(0, room));

/** `queued_at` and a space come before the task id in a queue key. */
const ID_AT = '2030-01-01T00:00:00.000Z '.length;
export const taskIdOfQueueKey = (key: string): string => key.slice(ID_AT);
