import type { Operation, OperationUpdate } from '@aws/durable-execution-sdk-js';
import { BgAgentError } from '../../task/errors.ts';
import type { RuntimeLimits } from './limits.ts';

type Known = Pick<Operation, 'Type' | 'Status'>;

const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  STEP: ['START', 'SUCCEED', 'FAIL', 'RETRY'],
  CONTEXT: ['START', 'SUCCEED', 'FAIL'],
  WAIT: ['START', 'CANCEL'],
  CALLBACK: ['START', 'CANCEL'],
  CHAINED_INVOKE: ['START', 'CANCEL'],
  EXECUTION: ['SUCCEED', 'FAIL'],
};

const invalid = (message: string): BgAgentError => new BgAgentError('INVALID_CHECKPOINT', message);

/**
 * Refuses, as the service does, a checkpoint with an update that its operation can't take now, before any of it is applied.
 * Throws INVALID_CHECKPOINT, PAYLOAD_TOO_LARGE, HISTORY_LIMIT_EXCEEDED.
 */
export function validateUpdates(
  updates: readonly OperationUpdate[],
  operations: ReadonlyMap<string, Known>,
  limits: RuntimeLimits,
): void {
  let added = 0;
  for (let index = 0; index < updates.length; index++) {
    const update = updates[index] as OperationUpdate;
    const id = update.Id;
    if (!id) throw invalid('an update has no operation id');
    if (update.Type === 'EXECUTION' && index < updates.length - 1)
      throw invalid('an EXECUTION update must be the last');
    const before = latest(updates, index, id);
    const operation = before ? after(before) : operations.get(id);
    checkSizes(update, limits);
    checkDuplicate(update, before);
    if (update.ParentId) {
      const parent = operations.get(update.ParentId) ?? latest(updates, index, update.ParentId);
      if (parent?.Type !== 'CONTEXT')
        throw invalid(`the parent of ${named(update)} is not a context of this execution`);
    }
    checkTransition(update, operation);
    if (!operation && update.Type !== 'EXECUTION') added += 1;
  }
  if (operations.size + added > limits.operations) {
    throw new BgAgentError(
      'HISTORY_LIMIT_EXCEEDED',
      `The execution would have more than ${limits.operations} operations.`,
    );
  }
}

/** The latest update of an operation before `index`. Most checkpoints have one or two updates: looking is faster than a map. */
function latest(updates: readonly OperationUpdate[], index: number, id: string): OperationUpdate | undefined {
  for (let before = index - 1; before >= 0; before--) if (updates[before]?.Id === id) return updates[before];
  return undefined;
}

const after = ({ Type, Action }: OperationUpdate): Known => ({
  Type,
  Status: Action === 'START' ? 'STARTED' : 'SUCCEEDED',
});

function checkSizes(update: OperationUpdate, limits: RuntimeLimits): void {
  if (update.Error !== undefined && Buffer.byteLength(JSON.stringify(update)) > limits.errorBytes) {
    throw new BgAgentError(
      'PAYLOAD_TOO_LARGE',
      `The error of ${named(update)} is larger than ${limits.errorBytes} bytes.`,
    );
  }
  // What the execution itself returns is limited by the history only.
  if (update.Payload === undefined || update.Type === 'EXECUTION') return;
  const limit = update.Type === 'CHAINED_INVOKE' ? limits.inputBytes : limits.payloadBytes;
  if (update.Payload.length * 3 > limit && Buffer.byteLength(update.Payload) > limit) {
    throw new BgAgentError(
      'PAYLOAD_TOO_LARGE',
      `The payload of ${named(update)} is larger than ${limit} bytes.`,
    );
  }
}

/** Steps and contexts may start and end in one checkpoint; nothing else comes twice. */
function checkDuplicate(update: OperationUpdate, before: OperationUpdate | undefined): void {
  if (!before) return;
  const endsWhatItStarted =
    (before.Type === 'STEP' || before.Type === 'CONTEXT') &&
    before.Action === 'START' &&
    update.Action !== 'START';
  if (!endsWhatItStarted) throw invalid(`${named(update)} is updated twice in one checkpoint`);
}

function checkTransition(update: OperationUpdate, operation: Known | undefined): void {
  const { Type: type, Action: action } = update;
  if (!type || !action || !ACTIONS[type]?.includes(action)) throw invalid(`${named(update)} can't ${action}`);
  const status = operation?.Status;
  const isOpen = status === 'STARTED' || (type === 'STEP' && status === 'READY');
  const fits =
    type === 'EXECUTION' ||
    (action === 'START' ? !operation || (type === 'STEP' && status === 'READY') : isOpen) ||
    // A step or context may be ended without having been started.
    (!operation && action !== 'CANCEL');
  if (!fits) throw invalid(`${named(update)} can't ${action} when it is ${status ?? 'unknown'}`);
  if (action === 'FAIL' && update.Payload !== undefined)
    throw invalid(`${named(update)} fails with a payload`);
  if (action === 'SUCCEED' && update.Error !== undefined)
    throw invalid(`${named(update)} succeeds with an error`);
  if (action === 'RETRY' && !update.StepOptions) throw invalid(`${named(update)} is retried without a delay`);
}

const named = ({ Type, Name, Id }: OperationUpdate): string => `${Type} ${Name ?? Id}`;
