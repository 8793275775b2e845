import type { Operation } from '@aws/durable-execution-sdk-js';
import type { Event, EventType } from '@aws-sdk/client-lambda';
import type { ExecutionRow } from './executions.ts';
import type { LogEntry, UpdateEntry } from './log.ts';
import { createOperationState } from './state.ts';

/** The events of an execution in the shape of the service's GetDurableExecutionHistory, oldest first. */
export function historyOf(row: ExecutionRow, entries: Iterable<LogEntry>): Event[] {
  const events: Event[] = [];
  const state = createOperationState();
  const add = (
    EventTypeName: EventType,
    at: number,
    of: Partial<Operation>,
    details: Partial<Event>,
  ): void => {
    events.push({
      EventType: EventTypeName,
      SubType: of.SubType,
      EventId: events.length + 1,
      Id: of.Id,
      Name: of.Name,
      EventTimestamp: new Date(at),
      ParentId: of.ParentId,
      ...details,
    });
  };
  const timeoutSeconds = row.timeoutAt === null ? undefined : (row.timeoutAt - row.startedAt) / 1_000;
  add(
    'ExecutionStarted',
    row.startedAt,
    { Id: row.operationId },
    {
      ExecutionStartedDetails: { Input: { Payload: row.input }, ExecutionTimeout: timeoutSeconds },
    },
  );
  for (const entry of entries) {
    const before = 'id' in entry ? state.operations.get(entry.id) : undefined;
    const attempt =
      entry.kind === 'update' ? state.operations.get(entry.update.Id ?? '')?.StepDetails?.Attempt : undefined;
    const duration = entry.kind === 'waited' && before ? durationOf(before) : undefined;
    state.apply(entry);
    switch (entry.kind) {
      case 'update': {
        if (entry.update.Type === 'EXECUTION') break;
        const [type, details] = ofUpdate(entry, attempt);
        add(type, entry.at, entry.update, details);
        break;
      }
      case 'callback':
        if (!before) break;
        if (entry.status === 'SUCCEEDED')
          add('CallbackSucceeded', entry.at, before, {
            CallbackSucceededDetails: { Result: { Payload: entry.result } },
          });
        else if (entry.status === 'FAILED')
          add('CallbackFailed', entry.at, before, {
            CallbackFailedDetails: { Error: { Payload: entry.error } },
          });
        else
          add('CallbackTimedOut', entry.at, before, {
            CallbackTimedOutDetails: { Error: { Payload: entry.error } },
          });
        break;
      case 'waited':
        if (before) add('WaitSucceeded', entry.at, before, { WaitSucceededDetails: { Duration: duration } });
        break;
      case 'invoked': {
        if (!before) break;
        const Result = entry.status === 'SUCCEEDED' ? { Payload: entry.result } : undefined;
        const failed = entry.error === undefined ? undefined : { Payload: entry.error };
        if (entry.status === 'SUCCEEDED')
          add('ChainedInvokeSucceeded', entry.at, before, { ChainedInvokeSucceededDetails: { Result } });
        else if (entry.status === 'FAILED')
          add('ChainedInvokeFailed', entry.at, before, { ChainedInvokeFailedDetails: { Error: failed } });
        else if (entry.status === 'TIMED_OUT')
          add('ChainedInvokeTimedOut', entry.at, before, { ChainedInvokeTimedOutDetails: { Error: failed } });
        else
          add('ChainedInvokeStopped', entry.at, before, { ChainedInvokeStoppedDetails: { Error: failed } });
        break;
      }
      case 'invocation':
        add(
          'InvocationCompleted',
          entry.at,
          {},
          {
            InvocationCompletedDetails: {
              StartTimestamp: new Date(entry.startedAt),
              EndTimestamp: new Date(entry.at),
              Error: { Payload: entry.error },
              RequestId: entry.requestId,
            },
          },
        );
        break;
      case 'ended': {
        const [type, details] = ofEnd(row);
        add(type, entry.at, { Id: row.operationId }, details);
        break;
      }
    }
  }
  return events;
}

function ofUpdate(
  { update, callbackId, childId, dueAt }: UpdateEntry,
  attempt: number | undefined,
): [EventType, Partial<Event>] {
  const Result = { Payload: update.Payload };
  const failed = { Payload: update.Error };
  const delay = update.StepOptions?.NextAttemptDelaySeconds;
  switch (`${update.Type} ${update.Action}`) {
    case 'STEP START':
      return ['StepStarted', { StepStartedDetails: {} }];
    case 'STEP SUCCEED':
    case 'STEP RETRY':
    case 'STEP FAIL':
      // A condition that doesn't hold yet is retried without an error.
      return update.Error === undefined && update.Action !== 'FAIL'
        ? [
            'StepSucceeded',
            {
              StepSucceededDetails: {
                Result,
                RetryDetails: { NextAttemptDelaySeconds: delay, CurrentAttempt: attempt },
              },
            },
          ]
        : [
            'StepFailed',
            {
              StepFailedDetails: {
                Error: failed,
                RetryDetails: { NextAttemptDelaySeconds: delay, CurrentAttempt: attempt ?? 1 },
              },
            },
          ];
    case 'CONTEXT START':
      return ['ContextStarted', { ContextStartedDetails: {} }];
    case 'CONTEXT SUCCEED':
      return ['ContextSucceeded', { ContextSucceededDetails: { Result } }];
    case 'CONTEXT FAIL':
      return ['ContextFailed', { ContextFailedDetails: { Error: failed } }];
    case 'WAIT START':
      return [
        'WaitStarted',
        {
          WaitStartedDetails: {
            Duration: update.WaitOptions?.WaitSeconds,
            ScheduledEndTimestamp: new Date(dueAt ?? 0),
          },
        },
      ];
    case 'CALLBACK START':
      return [
        'CallbackStarted',
        {
          CallbackStartedDetails: {
            CallbackId: callbackId,
            Timeout: update.CallbackOptions?.TimeoutSeconds,
            HeartbeatTimeout: update.CallbackOptions?.HeartbeatTimeoutSeconds,
          },
        },
      ];
    case 'CHAINED_INVOKE START':
      return [
        'ChainedInvokeStarted',
        {
          ChainedInvokeStartedDetails: {
            FunctionName: update.ChainedInvokeOptions?.FunctionName,
            Input: { Payload: update.Payload },
            DurableExecutionArn: childId,
          },
        },
      ];
    default:
      return ['WaitCancelled', { WaitCancelledDetails: {} }];
  }
}

function ofEnd({ status, result, error }: ExecutionRow): [EventType, Partial<Event>] {
  const failed = error === null ? undefined : { Payload: error };
  switch (status) {
    case 'SUCCEEDED':
      return [
        'ExecutionSucceeded',
        { ExecutionSucceededDetails: { Result: result === null ? undefined : { Payload: result } } },
      ];
    case 'TIMED_OUT':
      return ['ExecutionTimedOut', { ExecutionTimedOutDetails: { Error: failed } }];
    case 'STOPPED':
      return ['ExecutionStopped', { ExecutionStoppedDetails: { Error: failed } }];
    default:
      return ['ExecutionFailed', { ExecutionFailedDetails: { Error: failed } }];
  }
}

const durationOf = ({ StartTimestamp, WaitDetails }: Operation): number | undefined =>
  StartTimestamp && WaitDetails?.ScheduledEndTimestamp
    ? Math.round((WaitDetails.ScheduledEndTimestamp.getTime() - StartTimestamp.getTime()) / 1_000)
    : undefined;
