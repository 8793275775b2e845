import {
  type CheckpointDurableExecutionRequest,
  type DurableExecutionClient,
  DurableExecutionClientError,
  type GetDurableExecutionStateRequest,
  type OperationUpdate,
} from '@aws/durable-execution-sdk-js';
import { BgAgentError, type ErrorCode } from '../../task/errors.ts';
import { encodeCallbackId } from './callback-id.ts';
import type { ExecutionRow, ExecutionTable } from './executions.ts';
import type { RuntimeLimits } from './limits.ts';
import type { Invocation, LiveExecution, LiveExecutions } from './live.ts';
import type { LogEntry, UpdateEntry } from './log.ts';
import type { Moves } from './moves.ts';
import { replayed } from './state.ts';
import { validateUpdates } from './validate.ts';

export interface ClientOptions {
  live: LiveExecutions;
  table: ExecutionTable;
  moves: Moves;
  limits: RuntimeLimits;
  now: () => number;
  newId: () => string;
  driveChild: (child: LiveExecution, caller: LiveExecution) => void;
  /** The row of the execution that a chained invoke starts; undefined when its handler isn't registered. */
  childRow: (
    functionName: string,
    fields: { id: string; input: string; parent: ExecutionRow['parent'] },
  ) => ExecutionRow | undefined;
}

/**
 * What the SDK calls instead of the Lambda service. A checkpoint is one unit of writing: it is answered when it is flushed.
 * Refused for this invocation only: a stale token. Refused for good, so that the execution fails: what is invalid or too large.
 */
export function createExecutionClient(options: ClientOptions): DurableExecutionClient {
  const { live, table, moves, limits, now } = options;

  function current(id: string | undefined, token: string | undefined): [LiveExecution, Invocation] {
    const execution = live.get(id ?? '');
    if (!execution?.invocation || execution.invocation.token !== token) {
      const message = 'Invalid Checkpoint Token: a newer invocation owns the execution, or it has ended.';
      throw refusal('INVOCATION', 'STALE_CHECKPOINT_TOKEN', message);
    }
    return [execution, execution.invocation];
  }

  /** Applies the updates and what time has brought; returns the write. Throws, with no update applied, when one is refused. */
  function apply(execution: LiveExecution, updates: readonly OperationUpdate[]): Promise<void> {
    const { row, state, untold } = execution;
    // True whatever becomes of the updates.
    const due = moves.bringUpToDate(execution);
    if (due.length > 0) execution.unsaved.push(...due);
    validateUpdates(updates, state.operations, limits);
    const at = now();
    const entries: LogEntry[] = [];
    const children: ExecutionRow[] = [];
    let end: OperationUpdate | undefined;
    let added = 0;
    for (const update of updates) {
      added += update.Payload?.length ?? 0;
      if (update.Type === 'EXECUTION') end = update;
      else addEntries(entries, options, row, update, at, children);
    }
    if (execution.logSize + added > limits.historyBytes) {
      throw new BgAgentError(
        'HISTORY_LIMIT_EXCEEDED',
        `The execution would have more than ${limits.historyBytes} bytes of state.`,
      );
    }
    for (const entry of entries) {
      const changed = state.apply(entry);
      if (changed?.Id) untold.add(changed.Id);
    }
    if (end) {
      const status = end.Action === 'SUCCEED' ? 'SUCCEEDED' : 'FAILED';
      return moves.end(execution, { status, result: end.Payload, error: end.Error }, entries);
    }
    if (entries.length === 0 && execution.unsaved.length === 0) return execution.written;
    if (children.length === 0) return live.write([execution], [live.append(execution, entries)]);
    const started = children.map((child) => live.add(child));
    const inserts = children.map((child) => table.insert(child));
    const written = live.write([execution, ...started], [live.append(execution, entries), ...inserts]);
    for (const child of started) options.driveChild(child, execution);
    return written;
  }

  return {
    async getExecutionState({
      DurableExecutionArn,
      CheckpointToken,
      Marker,
      MaxItems,
    }: GetDurableExecutionStateRequest) {
      const [execution] = current(DurableExecutionArn, CheckpointToken);
      const operations = replayed(execution.state.operations.values());
      const from = Number(Marker ?? 0);
      const to = from + (MaxItems ?? 1_000);
      return {
        Operations: operations.slice(from, to),
        NextMarker: to < operations.length ? String(to) : undefined,
      };
    },

    async checkpoint({
      DurableExecutionArn,
      CheckpointToken,
      Updates = [],
    }: CheckpointDurableExecutionRequest) {
      const [execution, invocation] = current(DurableExecutionArn, CheckpointToken);
      const { untold, state } = execution;
      let written: Promise<void>;
      const untoldBefore = untold.size;
      try {
        written = apply(execution, Updates);
      } catch (error) {
        if (!(error instanceof BgAgentError)) throw error;
        invocation.refusal = { code: error.code, message: error.message };
        throw refusal('EXECUTION', error.code, error.message);
      }
      invocation.checkpoints += 1;
      invocation.token = tokenOf(invocation);
      invocation.toldLately = untoldBefore > 0;
      const Operations = [];
      for (const id of untold) {
        const operation = state.operations.get(id);
        if (operation) Operations.push(operation);
      }
      untold.clear();
      const { token } = invocation;
      try {
        await written;
      } catch (cause) {
        throw new DurableExecutionClientError('The checkpoint could not be written.', {
          scope: 'INVOCATION',
          cause,
        });
      }
      return { CheckpointToken: token, NewExecutionState: { Operations } };
    },
  };
}

export const tokenOf = ({ requestId, checkpoints }: Pick<Invocation, 'requestId' | 'checkpoints'>): string =>
  `${requestId}.${checkpoints}`;

function addEntries(
  entries: LogEntry[],
  { newId, childRow }: ClientOptions,
  row: ExecutionRow,
  update: OperationUpdate,
  at: number,
  children: ExecutionRow[],
): void {
  const entry: UpdateEntry = { kind: 'update', at, update };
  const operationId = update.Id ?? '';
  if (update.Action === 'RETRY') entry.dueAt = later(at, update.StepOptions?.NextAttemptDelaySeconds);
  entries.push(entry);
  if (update.Action !== 'START') return;
  switch (update.Type) {
    case 'WAIT':
      entry.dueAt = later(at, update.WaitOptions?.WaitSeconds);
      break;
    case 'CALLBACK': {
      const { TimeoutSeconds, HeartbeatTimeoutSeconds } = update.CallbackOptions ?? {};
      entry.callbackId = encodeCallbackId({ executionId: row.id, operationId }, newId());
      if (TimeoutSeconds !== undefined) entry.timeoutAt = later(at, TimeoutSeconds);
      if (HeartbeatTimeoutSeconds !== undefined) entry.heartbeatAt = later(at, HeartbeatTimeoutSeconds);
      break;
    }
    case 'CHAINED_INVOKE': {
      const functionName = update.ChainedInvokeOptions?.FunctionName ?? '';
      const id = `${row.id}#${operationId}`;
      const child = childRow(functionName, {
        id,
        input: update.Payload ?? '{}',
        parent: { id: row.id, operationId },
      });
      if (!child) {
        const error = {
          ErrorType: 'HANDLER_NOT_REGISTERED',
          ErrorMessage: `No handler is registered as "${functionName}".`,
        };
        entries.push({ kind: 'invoked', at, id: operationId, status: 'FAILED', error });
        return;
      }
      entry.childId = child.id;
      children.push(child);
      break;
    }
    default:
  }
}

const later = (at: number, seconds: number | undefined): number => at + (seconds ?? 0) * 1_000;

const refusal = (
  scope: 'INVOCATION' | 'EXECUTION',
  code: ErrorCode,
  message: string,
): DurableExecutionClientError =>
  new DurableExecutionClientError(message, { scope, cause: new BgAgentError(code, message) });
