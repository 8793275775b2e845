import type { EventStore } from '../stores/event-store.ts';
import { REPLAY_LIMITS, type ReplayBundle } from './schemas/replay.ts';
import type { TaskDetail } from './schemas/tasks.ts';
import { toEvent } from './task-detail.ts';

const PAGE = 500;

/** A task with its history, oldest first, in one document of a bounded size. */
export async function replayOf(
  { events }: { events: Pick<EventStore, 'list'> },
  task: TaskDetail,
  limits: { events: number; bytes: number } = REPLAY_LIMITS,
): Promise<ReplayBundle> {
  const bundle: ReplayBundle = { task, events: [], events_truncation: null };
  let room = limits.bytes - Buffer.byteLength(JSON.stringify(bundle));
  const cutFor = (reason: 'count' | 'size'): ReplayBundle => ({
    ...bundle,
    events_truncation: {
      reason,
      returned: bundle.events.length,
      last_event_id: bundle.events.at(-1)?.event_id ?? null,
    },
  });
  // What the note about a cut takes.
  room -= 200;
  let after: string | undefined;
  for (;;) {
    const { items, nextToken } = await events.list(task.task_id, { limit: PAGE, after });
    for (const item of items) {
      const event = toEvent(item);
      room -= Buffer.byteLength(JSON.stringify(event)) + 1;
      if (bundle.events.length >= limits.events) return cutFor('count');
      if (room < 0) return cutFor('size');
      bundle.events.push(event);
    }
    after = items.at(-1)?.event_id;
    if (nextToken === null || after === undefined) return bundle;
  }
}
