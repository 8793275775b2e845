import { BgAgentError, isErrorCode } from '../../task/errors.ts';
import type { ExecutionRow } from './executions.ts';

/** What a handler threw, as `result` throws it: `name` and `message` are those of the handler's error. */
class ExecutionFailed extends Error {
  readonly executionId: string;
  /** Whatever the error carried, serialised. */
  readonly data: string | undefined;
  constructor(
    executionId: string,
    { type, message, data }: { type: string; message: string; data: string | undefined },
  ) {
    super(message);
    this.name = type;
    this.executionId = executionId;
    this.data = data;
  }
}

export function failureOf({ id, status, error }: ExecutionRow): Error {
  if (status === 'STOPPED') return new BgAgentError('EXECUTION_STOPPED', `Execution "${id}" was stopped.`);
  const {
    ErrorType: type = 'Error',
    ErrorMessage: message = 'The execution failed.',
    ErrorData: data,
  } = error ?? {};
  return isErrorCode(type)
    ? new BgAgentError(type, message)
    : new ExecutionFailed(id, { type, message, data });
}
