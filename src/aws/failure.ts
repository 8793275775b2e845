import { BgAgentError, type ErrorCode, messageOf } from '../task/errors.ts';

/** What was asked of AWS, in the words by which people find it: in a policy, in the settings, in the console. */
export interface AwsUse {
  /** As it is called in a policy: `dynamodb:GetItem`. */
  action: string;
  /** What it was done to: `table bgagent-tasks`. */
  resource: string;
  /** Where the resource is named: a setting or an option. */
  setting?: string | undefined;
  /** Where it was looked for; undefined when the client has none. */
  region?: string | undefined;
}

const CREDENTIALS = [
  'CredentialsProviderError',
  'TokenProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'RequestExpired',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidAccessKeyId',
  'InvalidToken',
  'AuthFailure',
  'SignatureDoesNotMatch',
  'InvalidSignatureException',
  'IncompleteSignature',
  'TokenRefreshRequired',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'RequestTimeTooSkewed',
];
const DENIED = [
  'AccessDenied',
  'AccessDeniedException',
  'UnauthorizedOperation',
  'NotAuthorized',
  'Forbidden',
  'AllAccessDisabled',
  'AccountProblem',
  'OptInRequired',
  'KMSAccessDeniedException',
];
const MISSING = [
  'ResourceNotFoundException',
  'TableNotFoundException',
  'NoSuchBucket',
  'ClusterNotFoundException',
];
const WRONG_REGION = [
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
];
const THROTTLED = [
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'ProvisionedThroughputExceededException',
  'TooManyRequestsException',
  'SlowDown',
  'BandwidthLimitExceeded',
  'TransactionConflictException',
  'TransactionInProgressException',
  'RequestThrottledException',
];

/**
 * A foreign error of the AWS SDK as one of ours, with the permission, the resource or the setting that mends it. One of ours is
 * returned as it is. The error's name decides, then its HTTP status; its text is only passed on.
 */
export function awsFailure(error: unknown, use: AwsUse): BgAgentError {
  if (error instanceof BgAgentError) return error;
  const code = codeOfFailure(error);
  return new BgAgentError(code, `${sentence(code, use)} (${awsErrorName(error)}: ${messageOf(error)})`, {
    cause: error,
  });
}

/** The name by which AWS calls the error; never empty. */
export const awsErrorName = (error: unknown): string => (error instanceof Error && error.name) || 'Error';

function codeOfFailure(error: unknown): ErrorCode {
  const name = awsErrorName(error);
  if (CREDENTIALS.includes(name)) return 'AWS_CREDENTIALS_REFUSED';
  if (DENIED.includes(name)) return 'AWS_ACCESS_DENIED';
  if (MISSING.includes(name)) return 'AWS_RESOURCE_MISSING';
  if (WRONG_REGION.includes(name)) return 'AWS_REGION_WRONG';
  if (THROTTLED.includes(name)) return 'AWS_THROTTLED';
  const status = httpStatusOf(error);
  if (status === 301) return 'AWS_REGION_WRONG';
  if (status === 403) return 'AWS_ACCESS_DENIED';
  if (status === 429) return 'AWS_THROTTLED';
  return status === undefined || status >= 500 || status < 400 ? 'AWS_UNAVAILABLE' : 'AWS_REFUSED';
}

/** The status of the answer; undefined when none arrived. */
export function httpStatusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined;
  const metadata = error.$metadata;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}

function sentence(code: ErrorCode, { action, resource, setting, region }: AwsUse): string {
  const named = setting === undefined ? '' : `, named by ${setting}`;
  const where = region === undefined ? '' : ` in ${region}`;
  if (code === 'AWS_CREDENTIALS_REFUSED')
    return `the credentials for ${action} are missing, expired or wrong`;
  if (code === 'AWS_ACCESS_DENIED')
    return `${action} on ${resource} is not allowed: allow it to the role in use`;
  if (code === 'AWS_RESOURCE_MISSING') return `there is no ${resource}${where}${named}`;
  if (code === 'AWS_REGION_WRONG') return `${resource}${named} is not${where || ' in this region'}`;
  if (code === 'AWS_THROTTLED') return `AWS slows down ${action} on ${resource}`;
  if (code === 'AWS_REFUSED') return `AWS refused ${action} on ${resource}`;
  return `AWS did not answer ${action} on ${resource}${where}`;
}
