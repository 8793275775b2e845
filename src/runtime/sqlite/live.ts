import type { Database, Statement } from '../../sqlite/database.ts';
import { BgAgentError, type ErrorCode } from '../../task/errors.ts';
import type { ExecutionRow, ExecutionTable } from './executions.ts';
import { decodeEntries, encodeEntries, type LogEntry } from './log.ts';
import { createOperationState, type OperationState } from './state.ts';

/** One run of the handler, from its call to its answer. */
export interface Invocation {
  /** The only checkpoint token that is accepted now. */
  token: string;
  readonly startedAt: number;
  readonly requestId: string;
  checkpoints: number;
  /** The latest answer to a checkpoint told the handler of something from outside: it may not have had the time to act on it. */
  toldLately: boolean;
  /** Why a checkpoint was refused for good: what the execution fails with. */
  refusal: { code: ErrorCode; message: string } | undefined;
}

/** An execution with something going on. Parked ones are in the database only. */
export interface LiveExecution {
  readonly row: ExecutionRow;
  readonly state: OperationState;
  /** Size of the log so far. */
  logSize: number;
  /** Entries that can wait for the next write: nothing is lost with them but a line of the history. */
  readonly unsaved: LogEntry[];
  /** Operations that changed from outside and that the handler hasn't been told of. */
  readonly untold: Set<string>;
  invocation: Invocation | undefined;
  /** Invocations in a row that broke off. */
  breaks: number;
  /** What begins when the present invocation is over. */
  readonly heldBack: (() => void)[];
  /** The driver is at work on it. */
  driven: boolean;
  /** Settles when all that was written is flushed, fails when it could not be. */
  written: Promise<void>;
  unwritten: number;
  /** A write failed: what is in memory counts no more. */
  failure: Error | undefined;
  timeout: NodeJS.Timeout | undefined;
}

export interface LiveExecutions {
  /** The execution, read from the database if need be; undefined when it has ended or never was. */
  load(id: string): LiveExecution | undefined;
  get(id: string): LiveExecution | undefined;
  add(row: ExecutionRow): LiveExecution;
  /** The statement that appends entries, and those not saved yet, to the log. */
  append(execution: LiveExecution, entries: readonly LogEntry[]): Statement;
  /** Writes one unit that concerns these executions. Settles when it is flushed; throws when it could not be written. */
  write(executions: readonly LiveExecution[], statements: readonly Statement[]): Promise<void>;
  /** Drops it from memory if nothing is going on. */
  release(execution: LiveExecution): void;
  /** Forgets what is in memory of it. */
  drop(execution: LiveExecution): void;
  all(): Iterable<LiveExecution>;
  isEmpty(): boolean;
}

export function createLiveExecutions({
  database,
  table,
  emptied,
}: {
  database: Database;
  table: ExecutionTable;
  /** Nothing is going on any more. */
  emptied: () => void;
}): LiveExecutions {
  const live = new Map<string, LiveExecution>();

  function add(row: ExecutionRow): LiveExecution {
    const execution: LiveExecution = {
      row,
      state: createOperationState(),
      logSize: 0,
      unsaved: [],
      untold: new Set(),
      invocation: undefined,
      breaks: 0,
      heldBack: [],
      driven: false,
      written: Promise.resolve(),
      unwritten: 0,
      failure: undefined,
      timeout: undefined,
    };
    live.set(row.id, execution);
    return execution;
  }

  function drop(execution: LiveExecution): void {
    clearTimeout(execution.timeout);
    if (live.get(execution.row.id) === execution) live.delete(execution.row.id);
    if (live.size === 0) emptied();
  }

  function release(execution: LiveExecution): void {
    if (!execution.driven && execution.unwritten === 0) drop(execution);
  }

  return {
    add,
    drop,
    get: (id) => live.get(id),
    all: () => live.values(),
    isEmpty: () => live.size === 0,
    load(id) {
      const present = live.get(id);
      if (present) return present.row.status === 'RUNNING' ? present : undefined;
      const row = table.byId(id);
      if (row?.status !== 'RUNNING') return undefined;
      const execution = add(row);
      for (const encoded of table.log(row.key)) {
        execution.logSize += encoded.length;
        for (const entry of decodeEntries(encoded)) execution.state.apply(entry);
      }

      return execution;
    },
    append(execution, entries) {
      const { unsaved, row } = execution;
      const encoded = encodeEntries(unsaved.length === 0 ? entries : unsaved.concat(entries));
      unsaved.length = 0;
      execution.logSize += encoded.length;
      return table.append(row.key, encoded);
    },
    write(executions, statements) {
      const written = database.write(statements).then(
        () => {
          for (const execution of executions) {
            execution.unwritten -= 1;
            release(execution);
          }
        },
        (cause: unknown) => {
          const failure = new BgAgentError('SERVICE_UNAVAILABLE', 'The execution could not be written.', {
            cause,
          });
          for (const execution of executions) {
            execution.unwritten -= 1;
            execution.failure = failure;
            drop(execution);
          }
          throw failure;
        },
      );
      for (const execution of executions) {
        execution.unwritten += 1;
        execution.written = written;
      }
      return written;
    },
    release,
  };
}
