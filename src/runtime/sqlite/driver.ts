import { setTimeout as pause } from 'node:timers/promises';
import type {
  DurableExecutionInvocationOutput,
  DurableLambdaHandler,
  ErrorObject,
} from '@aws/durable-execution-sdk-js';
import { tokenOf } from './client.ts';
import type { ExecutionTable } from './executions.ts';
import type { Invocation, LiveExecution, LiveExecutions } from './live.ts';
import type { LogEntry } from './log.ts';
import type { Moves } from './moves.ts';
import { replayed } from './state.ts';

/** An invocation that broke off (its checkpoint could not be written, a value could not be serialised) is tried again. */
const RETRY_DELAYS_MS = [1_000, 2_000];

export interface DriverOptions {
  live: LiveExecutions;
  table: ExecutionTable;
  moves: Moves;
  handlers: ReadonlyMap<string, { run: DurableLambdaHandler }>;
  now: () => number;
  newId: () => string;
  isOpen: () => boolean;
  parked: (wakeAt: number | null) => void;
  /** The invocation of an execution that a checkpoint had ended is over. */
  ended: (execution: LiveExecution) => void;
}

/** Invokes the handler again and again until the execution ends or has nothing to do: then it's parked and leaves the memory. */
export function createDriver(options: DriverOptions): (execution: LiveExecution) => Promise<void> {
  const { live, table, moves, handlers, now, newId, isOpen } = options;

  async function invoke(
    execution: LiveExecution,
    handler: DurableLambdaHandler,
  ): Promise<DurableExecutionInvocationOutput> {
    const { row, state, untold } = execution;
    const requestId = newId();
    const invocation: Invocation = {
      token: '',
      startedAt: now(),
      requestId,
      checkpoints: 0,
      toldLately: false,
      refusal: undefined,
    };
    invocation.token = tokenOf(invocation);
    execution.invocation = invocation;
    const itself = {
      Id: row.operationId,
      Type: 'EXECUTION' as const,
      Status: 'STARTED' as const,
      StartTimestamp: new Date(row.startedAt),
      ExecutionDetails: { InputPayload: row.input },
    };
    const event = {
      DurableExecutionArn: row.id,
      CheckpointToken: invocation.token,
      InitialExecutionState: { Operations: [itself, ...replayed(state.operations.values())], NextMarker: '' },
      UpdatedOperationIds: [...untold],
    };
    untold.clear();
    return handler(event, {
      functionName: row.name,
      awsRequestId: requestId,
      getRemainingTimeInMillis: () => Infinity,
    });
  }

  /** Writes that an invocation is over; true when there is more to do at once. */
  async function suspend(
    execution: LiveExecution,
    invocation: Invocation,
    entry: LogEntry,
  ): Promise<boolean> {
    const { row, state, untold } = execution;
    const entries = [entry, ...moves.bringUpToDate(execution)];
    if (state.waiting.size === 0 && untold.size === 0 && invocation.checkpoints === 0) {
      const ErrorMessage = 'Cannot return PENDING status with no pending operations.';
      await moves.end(
        execution,
        { status: 'FAILED', error: { ErrorType: 'InvalidParameterValueException', ErrorMessage } },
        entries,
      );
      return false;
    }
    if (untold.size > 0 || state.waiting.size === 0 || invocation.toldLately) {
      execution.unsaved.push(...entries);
      return true;
    }
    const wakeAt = Math.min(state.nextDueAt(), row.timeoutAt ?? Infinity);
    row.parked = true;
    row.wakeAt = wakeAt === Infinity ? null : wakeAt;
    await live.write([execution], [live.append(execution, entries), table.park(row.key, row.wakeAt)]);
    if (row.parked) options.parked(row.wakeAt);
    return false;
  }

  /** One invocation; true when there is more to do at once. */
  async function step(execution: LiveExecution, handler: DurableLambdaHandler): Promise<boolean> {
    const { row } = execution;
    let output: DurableExecutionInvocationOutput | undefined;
    let broken: ErrorObject | undefined;
    try {
      output = await invoke(execution, handler);
    } catch (error) {
      broken = {
        ErrorType: error instanceof Error ? error.name : 'Error',
        ErrorMessage: error instanceof Error ? error.message : String(error),
      };
    }
    for (const begin of execution.heldBack.splice(0)) begin();
    const { invocation } = execution;
    execution.invocation = undefined;
    if (!invocation || !isOpen() || execution.failure) return false;

    const entry: LogEntry = {
      kind: 'invocation',
      at: now(),
      startedAt: invocation.startedAt,
      requestId: invocation.requestId,
    };
    const failure = output?.Status === 'FAILED' ? errorOf(invocation, output.Error) : broken;
    if (failure) entry.error = failure;
    if (row.status !== 'RUNNING') {
      // A checkpoint has ended it (a result too large for an answer), or stop() has.
      await live.write([execution], [live.append(execution, [entry])]);
      options.ended(execution);
      return false;
    }
    if (output?.Status === 'SUCCEEDED') {
      await moves.end(execution, { status: 'SUCCEEDED', result: output.Result }, [entry]);
      return false;
    }
    if (output?.Status === 'PENDING') return suspend(execution, invocation, entry);

    const delayMs = output ? undefined : RETRY_DELAYS_MS[execution.breaks++];
    if (delayMs === undefined) {
      await moves.end(execution, { status: 'FAILED', error: failure }, [entry]);
      return false;
    }
    await live.write([execution], [live.append(execution, [entry])]);
    await pause(delayMs, undefined, { ref: false });
    return true;
  }

  return async (execution) => {
    if (execution.driven) return;
    execution.driven = true;
    try {
      // A new execution may begin at once: its first checkpoint is written after its start.
      if (execution.state.operations.size > 0) await execution.written;
      let more = true;
      // Something may come from outside at any `await`: whoever noted it has left the driving to us.
      while (
        (more || execution.untold.size > 0) &&
        isOpen() &&
        !execution.failure &&
        execution.row.status === 'RUNNING'
      ) {
        const handler = handlers.get(execution.row.name)?.run;
        if (!handler) break;
        more = await step(execution, handler);
        await execution.written;
      }
    } finally {
      execution.driven = false;
      live.release(execution);
    }
  };
}

/** What the execution fails with: the reason a checkpoint was refused for, if one was, else what the handler threw. */
const errorOf = ({ refusal }: Invocation, error: ErrorObject): ErrorObject =>
  refusal ? { ErrorType: refusal.code, ErrorMessage: refusal.message } : error;
