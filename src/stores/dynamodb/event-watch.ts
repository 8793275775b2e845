import type { Dynamo } from './dynamo.ts';
import type { EventReaders } from './event-readers.ts';
import { taskKey } from './task-records.ts';
import { textOf } from './values.ts';

export interface EventWatchOptions {
  dynamo: Pick<Dynamo, 'get'>;
  readers: EventReaders;
  /** How often a task is looked at while somebody here reads its events, in milliseconds. */
  watchMs: number;
  /** Told of looks that failed; the next one comes all the same. */
  onError(error: unknown): void;
}

/** Tells readers of this process what others have added: a look now and then at tasks that somebody reads, and at no others. */
export function createEventWatch({ dynamo, readers, watchMs, onError }: EventWatchOptions) {
  const watched = new Map<string, { readers: number; timer: NodeJS.Timeout }>();

  function start(taskId: string): NodeJS.Timeout {
    let seen = '';
    const look = async (): Promise<void> => {
      const last = textOf(await dynamo.get('tasks', taskKey(taskId)), '_last_event_id') ?? '';
      // The first look tells in any case: what came since the reader began isn't known.
      if (last !== seen) readers.tell(taskId);
      seen = last;
    };
    return setInterval(() => void look().catch(onError), watchMs).unref();
  }

  return (taskId: string, onAppended: () => void): (() => void) => {
    const stop = readers.subscribe(taskId, onAppended);
    const entry = watched.get(taskId) ?? { readers: 0, timer: start(taskId) };
    watched.set(taskId, entry);
    entry.readers += 1;
    let stopped = false;
    return () => {
      if (stopped) return;
      stopped = true;
      stop();
      entry.readers -= 1;
      if (entry.readers > 0) return;
      clearInterval(entry.timer);
      watched.delete(taskId);
    };
  };
}
