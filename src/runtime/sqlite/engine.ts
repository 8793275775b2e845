import {
  type DurableExecutionClient,
  type DurableExecutionHandler,
  type DurableLambdaHandler,
  withDurableExecution,
} from '@aws/durable-execution-sdk-js';
import type { Database } from '../../sqlite/database.ts';
import { createCallbacks } from './callbacks.ts';
import { createExecutionClient } from './client.ts';
import { createDriver } from './driver.ts';
import { createExecutionTable, type ExecutionRow, type ExecutionTable } from './executions.ts';
import type { RuntimeLimits } from './limits.ts';
import { createLiveExecutions, type LiveExecution, type LiveExecutions } from './live.ts';
import { createMoves, type Moves } from './moves.ts';
import { createSleeper } from './sleeper.ts';
import { createTrimmer } from './trim.ts';

const RETRY_DELAY_MS = 1_000;
/** A chained invoke begins, as on Lambda, when its caller has suspended, or after this if the caller is still busy. */
const CHAINED_START_MS = 500;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const RESUMED_AT_ONCE = 50;

export interface EngineOptions {
  database: Database;
  limits: RuntimeLimits;
  now: () => number;
  newId: () => string;
  onError: (error: Error) => void;
  trimAfterMs?: number | undefined;
  /** An execution has ended, and that is durable. */
  ended: (row: ExecutionRow) => void;
}

export interface Engine {
  readonly table: ExecutionTable;
  readonly live: LiveExecutions;
  readonly moves: Moves;
  readonly callbacks: ReturnType<typeof createCallbacks>;
  /** What handlers save through. */
  readonly client: DurableExecutionClient;
  register(name: string, handler: DurableExecutionHandler, timeoutSeconds: number | undefined): void;
  /** The row of a new execution; undefined when the handler isn't registered. */
  newRow(name: string, fields: Pick<ExecutionRow, 'id' | 'input' | 'parent'>): ExecutionRow | undefined;
  drive(execution: LiveExecution): void;
  close(): Promise<void>;
}

/** Puts the parts together: what is live, what moves it, who drives it, who wakes it. */
export function createEngine({
  database,
  limits,
  now,
  newId,
  onError,
  trimAfterMs,
  ended,
}: EngineOptions): Engine {
  const table = createExecutionTable(database);
  const live = createLiveExecutions({ database, table, emptied: () => trimmer?.touched() });
  const trimmer =
    trimAfterMs === undefined ? undefined : createTrimmer({ quietMs: trimAfterMs, isQuiet: live.isEmpty });
  const handlers = new Map<string, { run: DurableLambdaHandler; timeoutSeconds: number | undefined }>();
  let nextKey = table.lastKey() + 1;
  let isOpen = true;

  /** Ended by a checkpoint, an execution still has its invocation to finish. */
  const whenEnded = (execution: LiveExecution): void => {
    if (!execution.invocation) ended(execution.row);
  };
  const moves = createMoves({ live, table, now, drive, ended: whenEnded });
  const sleeper = createSleeper({ table, names: () => [...handlers.keys()], now, wake });
  const client = createExecutionClient({ live, table, moves, limits, now, newId, driveChild, childRow });
  const callbacks = createCallbacks({ live, table, moves, limits, now, parked: sleeper.parked, onError });
  const driveOn = createDriver({
    live,
    table,
    moves,
    handlers,
    now,
    newId,
    isOpen: () => isOpen,
    parked: sleeper.parked,
    ended: whenEnded,
  });

  function drive(execution: LiveExecution): void {
    if (execution.driven || !isOpen) return;
    armTimeout(execution);
    driveOn(execution).catch((error: unknown) => {
      if (!isOpen) return;
      onError(error instanceof Error ? error : new Error(String(error)));
      setTimeout(() => driveAgain(execution.row.id), RETRY_DELAY_MS).unref();
    });
  }

  function driveChild(child: LiveExecution, caller: LiveExecution): void {
    let begun = false;
    const begin = (): void => {
      if (begun) return;
      begun = true;
      child.driven = false;
      drive(child);
    };
    // Held back, it must not leave the memory.
    child.driven = true;
    caller.heldBack.push(begin);
    setTimeout(begin, CHAINED_START_MS);
  }

  function driveAgain(id: string): void {
    const execution = isOpen ? live.load(id) : undefined;
    if (execution) drive(execution);
  }

  function armTimeout(execution: LiveExecution): void {
    const { timeoutAt } = execution.row;
    if (timeoutAt === null || execution.timeout) return;
    const delayMs = Math.min(Math.max(0, timeoutAt - now()), MAX_TIMEOUT_MS);
    execution.timeout = setTimeout(() => {
      execution.timeout = undefined;
      if (isTimedOut(execution)) timeOut(execution).catch(onError);
      else armTimeout(execution);
    }, delayMs);
    execution.timeout.unref();
  }

  const isTimedOut = ({ row }: LiveExecution): boolean =>
    row.status === 'RUNNING' && row.timeoutAt !== null && row.timeoutAt <= now();

  function timeOut(execution: LiveExecution): Promise<void> {
    execution.invocation = undefined;
    const error = {
      ErrorType: 'EXECUTION_TIMED_OUT',
      ErrorMessage: 'The execution took longer than its handler may.',
    };
    return moves.end(execution, { status: 'TIMED_OUT', error });
  }

  async function wake(id: string): Promise<void> {
    const execution = live.load(id);
    if (!execution) return;
    try {
      if (isTimedOut(execution)) return await timeOut(execution);
      const entries = moves.bringUpToDate(execution);
      if (entries.length > 0) return await moves.resume(execution, entries);
      // A heartbeat has moved what was due.
      const { row, state } = execution;
      if (!row.parked) {
        drive(execution);
        return await execution.written;
      }
      row.wakeAt = Math.min(state.nextDueAt(), row.timeoutAt ?? Infinity);
      await live.write([execution], [table.park(row.key, Number.isFinite(row.wakeAt) ? row.wakeAt : null)]);
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Goes on with what the last process left in the middle, a few at a time so that others get their turn. */
  function resumeAll(name: string): void {
    const ids = table.toDrive(name);
    const resumeSome = (): void => {
      for (const id of ids.splice(0, RESUMED_AT_ONCE)) driveAgain(id);
      if (ids.length > 0) setImmediate(resumeSome);
    };
    resumeSome();
  }

  function newRow(
    name: string,
    fields: Pick<ExecutionRow, 'id' | 'input' | 'parent'>,
  ): ExecutionRow | undefined {
    const handler = handlers.get(name);
    if (!handler) return undefined;
    const startedAt = now();
    const timeoutAt =
      handler.timeoutSeconds === undefined ? null : startedAt + handler.timeoutSeconds * 1_000;
    return {
      ...fields,
      key: nextKey++,
      name,
      operationId: newId(),
      status: 'RUNNING',
      parked: false,
      wakeAt: null,
      timeoutAt,
      startedAt,
      endedAt: null,
      result: null,
      error: null,
    };
  }

  /** Function names may carry a qualifier or be ARNs, as on Lambda. */
  function childRow(
    functionName: string,
    fields: Pick<ExecutionRow, 'id' | 'input' | 'parent'>,
  ): ExecutionRow | undefined {
    const plain = functionName.replace(/^arn:[^:]*:lambda:[^:]*:[^:]*:function:/, '').replace(/:[^:]*$/, '');
    return newRow(functionName, fields) ?? newRow(plain, fields);
  }

  return {
    table,
    live,
    moves,
    callbacks,
    client,
    newRow,
    drive,
    register(name, handler, timeoutSeconds) {
      handlers.set(name, {
        run: withDurableExecution(handler, { durableExecutionClient: client }),
        timeoutSeconds,
      });
      // In a moment, so that all handlers of this start are known: executions invoke each other.
      setImmediate(() => {
        if (!isOpen) return;
        resumeAll(name);
        sleeper.look();
      });
    },
    async close() {
      isOpen = false;
      sleeper.stop();
      trimmer?.stop();
      const writes = [];
      for (const execution of live.all()) {
        clearTimeout(execution.timeout);
        execution.invocation = undefined;
        writes.push(execution.written);
      }
      await Promise.allSettled(writes);
    },
  };
}
