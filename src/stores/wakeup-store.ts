/**
 * How an execution that waits is found and woken. A signal that arrives when nothing is parked is kept until the next
 * look (`take`), so none is lost.
 */
export interface WakeupStore {
  /** Remembers where the task waits. `pending` tells that a signal came since the last `take`: don't sleep. */
  park(taskId: string, callbackId: string): Promise<{ pending: boolean }>;
  /** Clears signal and parking place; call it before reading the state that the signal was about. */
  take(taskId: string): Promise<void>;
  /** Leaves a signal; returns the callback to complete, if one is parked. */
  signal(taskId: string): Promise<string | null>;
  /** Removes what is kept for a task that has ended. */
  forget(taskId: string): Promise<void>;
}
