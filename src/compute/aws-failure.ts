import { awsFailure as failureOf } from '../aws/failure.ts';
import { BgAgentError } from '../task/errors.ts';

/** What was asked of AWS, so that a refusal can say what to mend. */
export interface AwsRequest {
  /** What it was about, in words: `cluster agents`. */
  what: string;
  /** The setting that names it. */
  setting: string;
  /** The action that the platform's role needs. */
  permission: string;
}

/**
 * What a failed call means for a session: COMPUTE_UNAVAILABLE where another try can help, else COMPUTE_MISCONFIGURED with the
 * setting or the permission to mend.
 */
export function awsFailure(error: unknown, { what, setting, permission }: AwsRequest): BgAgentError {
  if (error instanceof BgAgentError) return error;
  const { retryable, message } = failureOf(error, { action: permission, resource: what, setting });
  return new BgAgentError(retryable ? 'COMPUTE_UNAVAILABLE' : 'COMPUTE_MISCONFIGURED', message, {
    cause: error,
  });
}

/** Whether the service certainly did not do it: it answered, and said no. A lost answer proves nothing. */
export function isRefusal(error: unknown): boolean {
  const cause = error instanceof BgAgentError ? error.cause : error;
  return typeof cause === 'object' && cause !== null && '$fault' in cause && cause.$fault === 'client';
}
