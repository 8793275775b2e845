import type { Database, Row, Statement, StatementResult } from '../../sqlite/database.ts';
import { type NewEvent, type TaskEvent, taskEventSchema } from '../../task/events.ts';
import { createIdSource } from '../../task/ids.ts';
import type { EventStore } from '../event-store.ts';

/** What the parts of the stores work with. `now`: milliseconds since 1970. */
export interface StoreParts {
  database: Database;
  log: EventLog;
  now: () => number;
}

/** Where every event of the stores is written: ids in the order of the commits, readers told after the commit. */
export interface EventLog extends Pick<EventStore, 'subscribe' | 'subscribeAll'> {
  /** Writes statements and events of one task as one unit. The results are those of the statements. */
  write(
    taskId: string,
    statements: readonly Statement[],
    events: readonly NewEvent[],
  ): Promise<StatementResult[]>;

  /** As `write`, for numbered events of a runner; those seen before are left out. Returns the new ones. */
  writeReported(
    task: { taskId: string; attempt: number },
    condition: Statement,
    events: readonly { seq: number; event: NewEvent; timestamp: string }[],
  ): Promise<TaskEvent[]>;
}

const INSERT = `
  INSERT INTO events (event_id, task_id, event_type, timestamp, metadata, attempt, seq)
  SELECT value ->> 'event_id', ?, value ->> 'type', value ->> 'timestamp', value -> 'metadata', ?, value ->> 'seq'
  FROM json_each(?)`;
const INSERT_ONCE = `${INSERT} WHERE true
  ON CONFLICT (task_id, attempt, seq) WHERE seq IS NOT NULL DO NOTHING
  RETURNING event_id, task_id, event_type, timestamp, metadata`;

export function createEventLog({ database, now }: Omit<StoreParts, 'log'>): EventLog {
  const greatest = database.get('SELECT max(event_id) AS event_id FROM events')?.event_id;
  const newId = createIdSource(now, typeof greatest === 'string' ? greatest : '');
  const readers = new Map<string, Set<() => void>>();
  const feedReaders = new Set<() => void>();

  const tell = (taskId: string): void => {
    // Each in a turn of its own: a reader's mistake is not the writer's.
    for (const onAppended of readers.get(taskId) ?? []) queueMicrotask(onAppended);
    for (const onAppended of feedReaders) queueMicrotask(onAppended);
  };

  return {
    async write(taskId, statements, events) {
      if (events.length === 0) return database.write(statements);
      const timestamp = new Date(now()).toISOString();
      const rows = events.map((event) => ({ event_id: newId(), ...event, timestamp }));
      // The ids are drawn in the turn of the write, and units commit in the order of the writes: a cursor misses nothing.
      const results = await database.write([
        ...statements,
        { sql: INSERT, params: [taskId, null, JSON.stringify(rows)] },
      ]);
      tell(taskId);
      return results;
    },

    async writeReported({ taskId, attempt }, condition, events) {
      const rows = events.map(({ seq, event, timestamp }) => ({
        event_id: newId(),
        ...event,
        timestamp,
        seq,
      }));
      const [task, inserted] = await database.write([
        condition,
        { sql: INSERT_ONCE, params: [taskId, attempt, JSON.stringify(rows)], returns: true },
      ]);
      const owner = task?.rows[0] ?? {};
      const added = (inserted?.rows ?? []).map((row) => toEvent({ ...owner, ...row }));
      if (added.length > 0) tell(taskId);
      return added.sort((a, b) => (a.event_id < b.event_id ? -1 : 1));
    },

    subscribeAll(onAppended) {
      const reader = (): void => onAppended();
      feedReaders.add(reader);
      return () => void feedReaders.delete(reader);
    },

    subscribe(taskId, onAppended) {
      // A function of its own, so that subscribing twice means two subscriptions.
      const reader = (): void => onAppended();
      const present = readers.get(taskId) ?? new Set();
      readers.set(taskId, present.add(reader));
      return () => {
        present.delete(reader);
        if (present.size === 0 && readers.get(taskId) === present) readers.delete(taskId);
      };
    },
  };
}

/** A row of `events` with `user_id` and `repo` of its task. */
export const toEvent = (row: Row): TaskEvent =>
  taskEventSchema.parse({ ...row, metadata: JSON.parse(String(row.metadata)) });
