import type { NewEvent, TaskEvent } from '../task/events.ts';
import type { Page } from '../task/page.ts';

/** The history of tasks: append-only, ids in the order of the commits. */
export interface EventStore {
  /**
   * Appends events that runner or agent reported. Each `seq` of an attempt is taken once; repeats are skipped.
   * A terminal task takes no more events (TASK_ALREADY_TERMINAL); an old attempt throws EPOCH_STALE.
   */
  appendReported(
    taskId: string,
    attempt: number,
    events: readonly { seq: number; event: NewEvent; timestamp: string }[],
  ): Promise<TaskEvent[]>;

  /**
   * Oldest first (newest first with `desc`). `after` = event id, exclusive, in the order of reading; it beats `nextToken`.
   * A page's `nextToken` is the id of its last event. Throws VALIDATION_ERROR for either when it is no event id.
   */
  list(
    taskId: string,
    query: {
      after?: string | undefined;
      nextToken?: string | undefined;
      limit: number;
      desc?: boolean;
    },
  ): Promise<Page<TaskEvent>>;

  /** Calls back after a commit that added events to the task; returns the way to stop. Delivery is a hint: read from a cursor. */
  subscribe(taskId: string, onAppended: () => void): () => void;

  /** Calls back after a commit of this process that added events to any task; returns the way to stop. A hint as well. */
  subscribeAll(onAppended: () => void): () => void;

  /** All tasks' events after a cursor ('' = from the first), in order: the feed of the fan-out. */
  feed(after: string, limit: number): Promise<TaskEvent[]>;
}
