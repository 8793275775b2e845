import type { ErrorObject } from '@aws/durable-execution-sdk-js';
import type { Statement } from '../../sqlite/database.ts';
import type { ExecutionStatus } from '../runtime.ts';
import type { ExecutionTable } from './executions.ts';
import type { LiveExecution, LiveExecutions } from './live.ts';
import type { InvokedEntry, LogEntry } from './log.ts';
import { dueAtOf, type Waiting } from './state.ts';

export interface Outcome {
  status: Exclude<ExecutionStatus, 'RUNNING'>;
  result?: string | undefined;
  error?: ErrorObject | undefined;
}

/** Every change of an execution that the handler itself doesn't make. Each is one unit of writing. */
export interface Moves {
  /** Applies what time has brought (waits over, steps ready again, callbacks timed out); the caller writes the entries. */
  bringUpToDate(execution: LiveExecution): LogEntry[];
  /** Writes what `bringUpToDate` found, and the execution is driven on. */
  resume(execution: LiveExecution, entries: readonly LogEntry[]): Promise<void>;
  /** Something came from outside: noted, written, and the execution is driven on. */
  touch(execution: LiveExecution, entries: readonly LogEntry[]): Promise<void>;
  /** Ends the execution; tells the chained invoke that started it in the same unit, and then whoever waits for the result. */
  end(execution: LiveExecution, outcome: Outcome, entriesBefore?: readonly LogEntry[]): Promise<void>;
}

export function createMoves({
  live,
  table,
  now,
  drive,
  ended,
}: {
  live: LiveExecutions;
  table: ExecutionTable;
  now: () => number;
  drive: (execution: LiveExecution) => void;
  ended: (execution: LiveExecution) => void;
}): Moves {
  /** What makes a parked execution one that is to be driven, for the unit that wakes it. */
  function wakeUp(execution: LiveExecution): Statement[] {
    if (!execution.row.parked) return [];
    execution.row.parked = false;
    execution.row.wakeAt = null;
    return [table.unpark(execution.row.key)];
  }

  function note(execution: LiveExecution, entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      const changed = execution.state.apply(entry);
      if (changed?.Id) execution.untold.add(changed.Id);
    }
  }

  const statementsOf = (execution: LiveExecution, entries: readonly LogEntry[]): Statement[] => [
    live.append(execution, entries),
    ...wakeUp(execution),
  ];

  function resume(execution: LiveExecution, entries: readonly LogEntry[]): Promise<void> {
    const written = live.write([execution], statementsOf(execution, entries));
    drive(execution);
    return written;
  }

  return {
    bringUpToDate(execution) {
      const at = now();
      if (execution.state.nextDueAt() > at) return [];
      const due = [...execution.state.waiting].filter(([, what]) => dueAtOf(what) <= at);
      due.sort(([, a], [, b]) => dueAtOf(a) - dueAtOf(b));
      const entries = due.map(([id, what]) => entryOfDue(id, what, at));
      note(execution, entries);
      return entries;
    },

    resume,

    touch(execution, entries) {
      note(execution, entries);
      return resume(execution, entries);
    },

    async end(execution, { status, result, error }, entriesBefore = []) {
      const { row } = execution;
      const at = now();
      row.status = status;
      row.endedAt = at;
      row.result = result ?? null;
      row.error = error ?? null;
      const entries: LogEntry[] = [...entriesBefore, { kind: 'ended', at }];
      const statements = [live.append(execution, entries), table.end(row)];
      const written = [execution];

      const parent = row.parent ? live.load(row.parent.id) : undefined;
      const waits = row.parent && parent?.state.waiting.get(row.parent.operationId)?.for === 'invoke';
      if (row.parent && parent && waits) {
        const entry: InvokedEntry = { kind: 'invoked', at, id: row.parent.operationId, status };
        if (result !== undefined) entry.result = result;
        if (error !== undefined) entry.error = error;
        note(parent, [entry]);
        statements.push(...statementsOf(parent, [entry]));
        written.push(parent);
      }
      const done = live.write(written, statements);
      if (parent && waits) drive(parent);
      await done;
      ended(execution);
    },
  };
}

function entryOfDue(id: string, what: Waiting, at: number): LogEntry {
  if (what.for === 'time') return { kind: what.kind, at, id };
  const isHeartbeat = what.for === 'callback' && what.heartbeatAt < what.timeoutAt;
  const ErrorMessage = isHeartbeat ? 'Callback timed out on heartbeat' : 'Callback timed out';
  return { kind: 'callback', at, id, status: 'TIMED_OUT', error: { ErrorMessage } };
}
