import { BgAgentError, type ErrorCode, messageOf } from '../task/errors.ts';

/** What was asked of AWS, so that a refusal can say what to mend. */
export interface AwsRequest {
  /** What it was about, in words: `cluster agents`. */
  what: string;
  /** The setting that names it. */
  setting: string;
  /** The action that the platform's role needs. */
  permission: string;
}

interface Meaning {
  names: readonly string[];
  code: ErrorCode;
  says(request: AwsRequest, name: string): string;
}

/** What names of errors mean, whatever service they come from. */
const MEANINGS: readonly Meaning[] = [
  {
    names: [
      'AccessDenied',
      'AccessDeniedException',
      'UnauthorizedOperation',
      'UnauthorizedException',
      'Forbidden',
    ],
    code: 'COMPUTE_MISCONFIGURED',
    says: ({ permission }) => `AWS denies ${permission}: allow it for the platform's role`,
  },
  {
    names: ['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'ExpiredCredentials'],
    code: 'COMPUTE_MISCONFIGURED',
    says: () => 'the AWS credentials of the platform have expired: renew them',
  },
  {
    names: [
      'InvalidAccessKeyId',
      'InvalidClientTokenId',
      'UnrecognizedClientException',
      'SignatureDoesNotMatch',
      'CredentialsProviderError',
    ],
    code: 'COMPUTE_MISCONFIGURED',
    says: (_, name) => `the AWS credentials of the platform are missing or not valid (${name}): check them`,
  },
  {
    names: ['NoSuchBucket', 'ClusterNotFoundException', 'ResourceNotFoundException', 'NotFound'],
    code: 'COMPUTE_MISCONFIGURED',
    says: ({ setting }) => `it is not there: check the settings ${setting} and aws_region`,
  },
  {
    names: ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'],
    code: 'COMPUTE_MISCONFIGURED',
    says: ({ setting }) => `it is in another region: check the settings ${setting} and aws_region`,
  },
  {
    names: [
      'ThrottlingException',
      'Throttling',
      'TooManyRequestsException',
      'RequestLimitExceeded',
      'SlowDown',
    ],
    code: 'COMPUTE_UNAVAILABLE',
    says: ({ permission }) => `AWS throttles ${permission}`,
  },
];

/**
 * What a failed call means, with the setting or the permission to mend by name. COMPUTE_MISCONFIGURED: a retry can't help.
 * Everything else (throttling, no answer, a fault of the service) is COMPUTE_UNAVAILABLE.
 */
export function awsFailure(error: unknown, request: AwsRequest): BgAgentError {
  if (error instanceof BgAgentError) return error;
  const name = awsErrorName(error);
  const known = MEANINGS.find(({ names }) => names.includes(name));
  const text = known?.says(request, name) ?? `${request.permission} failed: ${name}: ${messageOf(error)}`;
  return new BgAgentError(known?.code ?? 'COMPUTE_UNAVAILABLE', `${request.what}: ${text}`, { cause: error });
}

/** The name of a service's error, whatever client it came from. */
export const awsErrorName = (error: unknown): string => (error instanceof Error ? error.name : 'unknown');

/** Whether the service certainly did not do it: it answered, and said no. A lost answer proves nothing. */
export function isRefusal(error: unknown): boolean {
  const cause = error instanceof BgAgentError ? error.cause : error;
  return typeof cause === 'object' && cause !== null && '$fault' in cause && cause.$fault === 'client';
}
