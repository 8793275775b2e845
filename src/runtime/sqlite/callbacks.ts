import type { ErrorObject } from '@aws/durable-execution-sdk-js';
import { BgAgentError } from '../../task/errors.ts';
import type { DurableRuntime } from '../runtime.ts';
import { decodeCallbackId } from './callback-id.ts';
import type { ExecutionTable } from './executions.ts';
import type { RuntimeLimits } from './limits.ts';
import type { LiveExecution, LiveExecutions } from './live.ts';
import type { CallbackEntry } from './log.ts';
import type { Moves } from './moves.ts';

type Callbacks = Pick<DurableRuntime, 'completeCallback' | 'failCallback' | 'heartbeatCallback'>;

/** Callbacks, as others complete them from outside of the execution. */
export function createCallbacks({
  live,
  table,
  moves,
  limits,
  now,
  parked,
  onError,
}: {
  live: LiveExecutions;
  table: ExecutionTable;
  moves: Moves;
  limits: RuntimeLimits;
  now: () => number;
  parked: (wakeAt: number | null) => void;
  onError: (error: Error) => void;
}): Callbacks {
  /** The execution and the operation that the id names, if it still waits. */
  function open(callbackId: string): [LiveExecution, string] {
    const address = decodeCallbackId(callbackId);
    const execution = address && live.load(address.executionId);
    if (!address || !execution) {
      if (address && table.byId(address.executionId)) throw closed();
      throw notFound();
    }
    const operation = execution.state.operations.get(address.operationId);
    if (operation?.CallbackDetails?.CallbackId !== callbackId) {
      live.release(execution);
      throw notFound();
    }
    const due = moves.bringUpToDate(execution);
    if (due.length > 0) moves.resume(execution, due).catch(onError);
    if (execution.state.operations.get(address.operationId)?.Status !== 'STARTED') {
      live.release(execution);
      throw closed();
    }
    return [execution, address.operationId];
  }

  function close(
    callbackId: string,
    outcome: Pick<CallbackEntry, 'status' | 'result' | 'error'>,
  ): Promise<void> {
    const [execution, id] = open(callbackId);
    return moves.touch(execution, [{ kind: 'callback', at: now(), id, ...outcome }]);
  }

  return {
    async completeCallback(callbackId, result) {
      const payload = typeof result === 'string' ? result : JSON.stringify(result);
      checkSize(payload, limits.payloadBytes);
      return close(
        callbackId,
        payload === undefined ? { status: 'SUCCEEDED' } : { status: 'SUCCEEDED', result: payload },
      );
    },

    async failCallback(callbackId, error) {
      const object = errorObjectOf(error);
      checkSize(JSON.stringify(object), limits.errorBytes);
      return close(callbackId, { status: 'FAILED', error: object });
    },

    async heartbeatCallback(callbackId) {
      const [execution, id] = open(callbackId);
      const { state, row } = execution;
      const waiting = state.waiting.get(id);
      if (waiting?.for !== 'callback' || waiting.heartbeatSeconds === undefined)
        return live.release(execution);
      const at = now();
      const entry = {
        kind: 'heartbeat' as const,
        at,
        id,
        heartbeatAt: at + waiting.heartbeatSeconds * 1_000,
      };
      state.apply(entry);
      const statements = [live.append(execution, [entry])];
      if (row.parked) {
        row.wakeAt = Math.min(state.nextDueAt(), row.timeoutAt ?? Infinity);
        statements.push(table.park(row.key, row.wakeAt));
        parked(row.wakeAt);
      }
      await live.write([execution], statements);
    },
  };
}

const notFound = (): BgAgentError =>
  new BgAgentError('CALLBACK_NOT_FOUND', 'There is no callback of this id.', { field: 'callbackId' });
const closed = (): BgAgentError =>
  new BgAgentError(
    'CALLBACK_CLOSED',
    'The callback was completed, has timed out, or its execution has ended.',
  );

function checkSize(payload: string | undefined, limit: number): void {
  if (payload !== undefined && Buffer.byteLength(payload) > limit) {
    throw new BgAgentError('PAYLOAD_TOO_LARGE', `The callback's payload is larger than ${limit} bytes.`);
  }
}

/** Accepts an Error, the service's error object, or anything else as a message. */
function errorObjectOf(error: unknown): ErrorObject {
  if (error instanceof Error) return { ErrorType: error.name, ErrorMessage: error.message };
  if (typeof error === 'object' && error !== null) {
    const { ErrorType, ErrorMessage, ErrorData, StackTrace } = error as ErrorObject;
    if (ErrorType !== undefined || ErrorMessage !== undefined || ErrorData !== undefined) {
      return { ErrorType, ErrorMessage, ErrorData, StackTrace };
    }
    return { ErrorMessage: JSON.stringify(error) };
  }
  return error === undefined ? {} : { ErrorMessage: String(error) };
}
