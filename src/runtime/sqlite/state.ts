import type { ErrorObject, Operation, OperationUpdate } from '@aws/durable-execution-sdk-js';
import type { LogEntry, UpdateEntry } from './log.ts';

/** What an operation that isn't finished waits for. Times are milliseconds since the epoch, Infinity = for ever. */
export type Waiting =
  | { for: 'time'; dueAt: number; kind: 'waited' | 'ready' }
  | { for: 'callback'; timeoutAt: number; heartbeatAt: number; heartbeatSeconds: number | undefined }
  | { for: 'invoke' };

/** The operations of one execution, folded from its log. The same function folds live entries and those read back. */
export interface OperationState {
  /** In the order of their starts, so that a parent comes before its children. */
  readonly operations: ReadonlyMap<string, Operation>;
  readonly waiting: ReadonlyMap<string, Waiting>;
  /** The earliest time at which something is due by itself; Infinity when nothing is. */
  nextDueAt(): number;
  /** Returns the operation that changed, if one did. */
  apply(entry: LogEntry): Operation | undefined;
}

export function createOperationState(): OperationState {
  const operations = new Map<string, Operation>();
  const waiting = new Map<string, Waiting>();
  let nextDueAt: number | undefined;

  function await_(id: string, what: Waiting | undefined): void {
    if (what) waiting.set(id, what);
    else waiting.delete(id);
    nextDueAt = undefined;
  }

  function keep(operation: Operation): Operation {
    operations.set(operation.Id ?? '', operation);
    return operation;
  }

  function end(
    id: string,
    at: number,
    status: NonNullable<Operation['Status']>,
    details: Partial<Operation>,
  ) {
    const operation = operations.get(id);
    if (!operation) return undefined;
    await_(id, undefined);
    return keep({ ...operation, Status: status, EndTimestamp: new Date(at), ...details });
  }

  function applyUpdate(entry: UpdateEntry): Operation | undefined {
    const { update, at } = entry;
    const id = update.Id ?? '';
    if (update.Type === 'EXECUTION') return undefined;
    const operation = operations.get(id) ?? started(update, at);
    switch (update.Action) {
      case 'START':
        return start(entry, id, operation);
      case 'SUCCEED':
      case 'FAIL': {
        const status = update.Action === 'SUCCEED' ? 'SUCCEEDED' : 'FAILED';
        if (waiting.has(id)) await_(id, undefined);
        return keep({
          ...operation,
          Status: status,
          EndTimestamp: new Date(at),
          ...closingDetails(operation, update),
        });
      }
      case 'RETRY': {
        const dueAt = entry.dueAt ?? at;
        await_(id, { for: 'time', dueAt, kind: 'ready' });
        const Attempt = (operation.StepDetails?.Attempt ?? 0) + 1;
        const StepDetails = {
          Attempt,
          NextAttemptTimestamp: new Date(dueAt),
          Result: update.Payload,
          Error: update.Error,
        };
        return keep({ ...operation, Status: 'PENDING', StepDetails });
      }
      default:
        await_(id, undefined);
        return keep({ ...operation, Status: 'CANCELLED', EndTimestamp: new Date(at) });
    }
  }

  function start(entry: UpdateEntry, id: string, operation: Operation): Operation {
    switch (entry.update.Type) {
      case 'WAIT': {
        const dueAt = entry.dueAt ?? entry.at;
        await_(id, { for: 'time', dueAt, kind: 'waited' });
        return keep({ ...operation, WaitDetails: { ScheduledEndTimestamp: new Date(dueAt) } });
      }
      case 'CALLBACK':
        await_(id, {
          for: 'callback',
          timeoutAt: entry.timeoutAt ?? Infinity,
          heartbeatAt: entry.heartbeatAt ?? Infinity,
          heartbeatSeconds: entry.update.CallbackOptions?.HeartbeatTimeoutSeconds,
        });
        return keep({ ...operation, CallbackDetails: { CallbackId: entry.callbackId } });
      case 'CHAINED_INVOKE':
        await_(id, { for: 'invoke' });
        return keep(operation);
      default:
        // A step's next attempt: the state of a condition, kept as its result, stays readable.
        return keep(operation.Status === 'STARTED' ? operation : { ...operation, Status: 'STARTED' });
    }
  }

  return {
    operations,
    waiting,
    nextDueAt() {
      nextDueAt ??= Math.min(Infinity, ...[...waiting.values()].map(dueAtOf));
      return nextDueAt;
    },
    apply(entry) {
      switch (entry.kind) {
        case 'update':
          return applyUpdate(entry);
        case 'callback': {
          const CallbackId = operations.get(entry.id)?.CallbackDetails?.CallbackId;
          const CallbackDetails = { CallbackId, Result: entry.result, Error: entry.error };
          return end(entry.id, entry.at, entry.status, { CallbackDetails });
        }
        case 'heartbeat': {
          const now = waiting.get(entry.id);
          if (now?.for === 'callback') await_(entry.id, { ...now, heartbeatAt: entry.heartbeatAt });
          return undefined;
        }
        case 'waited':
          return end(entry.id, entry.at, 'SUCCEEDED', {});
        case 'ready': {
          const operation = operations.get(entry.id);
          await_(entry.id, undefined);
          return operation && keep({ ...operation, Status: 'READY' });
        }
        case 'invoked':
          return end(entry.id, entry.at, entry.status, {
            ChainedInvokeDetails: { Result: entry.result, Error: entry.error },
          });
        default:
          return undefined;
      }
    },
  };
}

export const dueAtOf = (what: Waiting): number =>
  what.for === 'time'
    ? what.dueAt
    : what.for === 'callback'
      ? Math.min(what.timeoutAt, what.heartbeatAt)
      : Infinity;

const started = (update: OperationUpdate, at: number): Operation => ({
  Id: update.Id,
  ParentId: update.ParentId,
  Name: update.Name,
  Type: update.Type,
  SubType: update.SubType,
  StartTimestamp: new Date(at),
  Status: 'STARTED',
});

function closingDetails(operation: Operation, update: OperationUpdate): Partial<Operation> {
  const outcome: { Result?: string | undefined; Error?: ErrorObject | undefined } = {
    Result: update.Payload,
    Error: update.Error,
  };
  if (update.Type === 'CONTEXT') {
    const ReplayChildren = update.ContextOptions?.ReplayChildren ?? operation.ContextDetails?.ReplayChildren;
    return { ContextDetails: { ...outcome, ReplayChildren } };
  }
  return { StepDetails: { ...outcome, Attempt: (operation.StepDetails?.Attempt ?? 0) + 1 } };
}

/** What an invocation starts from: all but what lies below a finished context that needs no replay of its children. */
export function replayed(operations: Iterable<Operation>): Operation[] {
  const left = new Set<string>();
  const kept = new Map<string, Operation>();
  for (const operation of operations) {
    const parentId = operation.ParentId;
    const parent = parentId === undefined ? undefined : kept.get(parentId);
    const isBelowFinished =
      parent?.Type === 'CONTEXT' &&
      (parent.Status === 'SUCCEEDED' || parent.Status === 'FAILED') &&
      !parent.ContextDetails?.ReplayChildren;
    if (isBelowFinished || (parentId !== undefined && left.has(parentId))) left.add(operation.Id ?? '');
    else kept.set(operation.Id ?? '', operation);
  }
  return [...kept.values()];
}
