import type { EventStore } from '../stores/event-store.ts';
import type { TaskStore } from '../stores/task-store.ts';
import type { TaskEvent } from '../task/events.ts';
import { isTerminal, TERMINAL_EVENT } from '../task/status.ts';
import { toEvent } from './task-detail.ts';

const TERMINAL_TYPES: ReadonlySet<string> = new Set(Object.values(TERMINAL_EVENT));
const PAGE = 100;

interface StreamOptions {
  stores: { events: EventStore; tasks: TaskStore };
  taskId: string;
  /** Id of the last event the reader has; undefined = from the beginning. */
  after: string | undefined;
  pingIntervalMs: number;
  /** Ends the stream when the server closes. */
  closing?: AbortSignal | undefined;
}

/**
 * Server-Sent Events: every event of the task as it is written, until the terminal one. It reads on only when its reader
 * does, so a slow reader costs no memory.
 */
export function eventStream(options: StreamOptions): ReadableStream<Uint8Array> {
  const { stores, taskId, closing } = options;
  const encoder = new TextEncoder();
  let cursor = options.after;
  let appended = signal();

  /** The next frames, or null at the end. */
  async function next(): Promise<string | null> {
    for (;;) {
      appended = signal();
      const frames = await read();
      if (frames !== '') return frames;
      if (left || closing?.aborted || (await hasEnded())) return null;
      if (!(await appended.within(options.pingIntervalMs))) return ': ping\n\n';
    }
  }

  /** The reader is gone. */
  let left = false;
  /** The terminal event was read. */
  let ended = false;
  async function read(): Promise<string> {
    if (ended) return '';
    const { items } = await stores.events.list(taskId, {
      after: cursor,
      limit: PAGE,
    });
    const end = items.findIndex(({ event_type }) => TERMINAL_TYPES.has(event_type));
    const fresh = end === -1 ? items : items.slice(0, end + 1);
    ended = end !== -1;
    cursor = fresh.at(-1)?.event_id ?? cursor;
    return fresh.map(frame).join('');
  }

  /** The terminal event was sent, or was before the reader's cursor, or the task is gone. */
  async function hasEnded(): Promise<boolean> {
    if (ended) return true;
    const task = await stores.tasks.get(taskId);
    if (!task) return true;
    if (!isTerminal(task.status)) return false;
    // It may have ended between the look at its events and the look at its status.
    const { items } = await stores.events.list(taskId, {
      after: cursor,
      limit: 1,
    });
    return items.length === 0;
  }

  /** Lets go of everything; undefined until somebody reads, which a HEAD request never does. */
  let release: (() => void) | undefined;
  function open(): () => void {
    const wake = (): void => appended.fire();
    const stop = stores.events.subscribe(taskId, wake);
    closing?.addEventListener('abort', wake);
    return () => {
      stop();
      closing?.removeEventListener('abort', wake);
    };
  }

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (!release) {
          release = open();
          // A first comment opens the connection at once, also when there is nothing to say yet.
          controller.enqueue(encoder.encode(': stream\n\n'));
          return;
        }
        const frames = await next().catch((error: unknown) => {
          release?.();
          throw error;
        });
        if (left) return;
        if (frames !== null) {
          controller.enqueue(encoder.encode(frames));
          if (!ended) return;
        }
        release();
        controller.close();
      },
      cancel: () => {
        left = true;
        release?.();
        appended.fire();
      },
    },
    { highWaterMark: 0 },
  );
}

const frame = (event: TaskEvent): string =>
  `id: ${event.event_id}\ndata: ${JSON.stringify(toEvent(event))}\n\n`;

/** Something that happens once, and can be waited for with a limit. */
function signal(): { fire(): void; within(ms: number): Promise<boolean> } {
  const { promise, resolve } = Promise.withResolvers<true>();
  return {
    fire: () => resolve(true),
    async within(ms) {
      const { promise: elapsed, resolve: giveUp } = Promise.withResolvers<false>();
      const timer = setTimeout(() => giveUp(false), ms);
      try {
        return await Promise.race([promise, elapsed]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
