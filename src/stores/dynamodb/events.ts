import { BgAgentError } from '../../task/errors.ts';
import { type TaskEvent, taskEventSchema } from '../../task/events.ts';
import { isUlid } from '../../task/ids.ts';
import { isTerminal } from '../../task/status.ts';
import type { EventStore } from '../event-store.ts';
import { checkTerminalEvents, whyNotCurrent } from '../moves.ts';
import { invalidToken, toPage } from '../page-token.ts';
import { createEventWatch, type EventWatchOptions } from './event-watch.ts';
import type { StoreParts } from './parts.ts';
import { changeTask, withEvents } from './task-writes.ts';
import { fromItem } from './values.ts';

/** More than any event id. */
const LAST = '~';

type Reported = Parameters<EventStore['appendReported']>[2][number];

export function createEventStore(
  parts: StoreParts,
  watch: Pick<EventWatchOptions, 'watchMs' | 'onError'>,
): EventStore {
  const { dynamo, readers, now } = parts;
  /** A transaction has the task, too. */
  const batch = dynamo.maxTransactionItems - 1;

  return {
    async appendReported(taskId, attempt, events) {
      checkTerminalEvents(
        null,
        events.map(({ event }) => event),
      );
      const added: TaskEvent[] = [];
      // Several transactions when there are many: a runner that gets no answer sends all again, and the numbers tell which are new.
      let rest = [...events].sort((a, b) => a.seq - b.seq);
      do {
        added.push(...(await appendBatch(taskId, attempt, rest.slice(0, batch))));
        rest = rest.slice(batch);
      } while (rest.length > 0);
      return added;
    },

    async list(taskId, { after, nextToken, limit, desc = false }) {
      if (after !== undefined && !isUlid(after))
        throw new BgAgentError('VALIDATION_ERROR', 'after: not an event id', { field: 'after' });
      if (nextToken !== undefined && !isUlid(nextToken)) throw invalidToken();
      const cursor = after ?? nextToken;
      const items = await dynamo.query({
        table: 'events',
        partition: taskId,
        range: desc ? { before: cursor ?? LAST } : { after: cursor ?? '' },
        descending: desc,
        limit: limit + 1,
      });
      return toPage(
        items.map((item) => fromItem(taskEventSchema, item)),
        limit,
        (last) => last.event_id,
      );
    },

    subscribe: createEventWatch({ dynamo, readers, ...watch }),
    subscribeAll: readers.subscribeAll,

    async feed() {
      throw new BgAgentError(
        'SERVICE_UNAVAILABLE',
        'events in DynamoDB have no order across tasks: their feed is the stream of the events table',
      );
    },
  };

  async function appendBatch(taskId: string, attempt: number, events: Reported[]): Promise<TaskEvent[]> {
    let added: TaskEvent[] = [];
    await changeTask(parts, taskId, (before) => {
      const { task, reported } = before;
      if (task.attempt !== attempt || isTerminal(task.status)) throw whyNotCurrent(task, taskId, attempt);
      let seen = reported?.attempt === attempt ? reported.seq : -1;
      const fresh = events.filter(({ seq }) => {
        const isNew = seq > seen;
        seen = Math.max(seen, seq);
        return isNew;
      });
      added = [];
      if (fresh.length === 0) return null;
      const change = withEvents(
        { ...before, reported: { attempt, seq: seen } },
        fresh.map(({ event, timestamp }) => ({ ...event, timestamp })),
        now,
      );
      added = change.events;
      return change;
    });
    return added;
  }
}
