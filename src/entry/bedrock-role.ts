import type { STSClientConfig } from '@aws-sdk/client-sts';
import { awsErrorName, awsFailure } from '../aws/failure.ts';
import { BgAgentError, type ErrorCode, messageOf } from '../task/errors.ts';
import { executionName, type Task } from '../task/task.ts';
import { sessionPolicy } from './bedrock-policy.ts';

/** Keys of AWS that are good for one task, its models and an hour at most. */
export interface RoleSession {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  /** ISO 8601. */
  expiresAt: string;
}

export interface BedrockRoleOptions {
  roleArn: string;
  region: string;
  /** Of the user that may take the role; undefined: what AWS's library finds by itself (a profile, the machine's own role). */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** `HTTPS_PROXY` and `NO_PROXY`, where the way out is a proxy. */
  proxy?: Readonly<Record<string, string | undefined>>;
  /** Default: STS in the region. */
  endpoint?: string;
}

/** What a role gives at most to who came by another role, and every role allows. */
const SESSION_SECONDS = 3_600;

/**
 * Takes the role for one task. Throws MODEL_ROLE_REFUSED when AWS says no, MODEL_ROLE_UNAVAILABLE when it doesn't answer,
 * MODEL_NOT_CONFIGURED when there are no keys to ask with, VALIDATION_ERROR for a model's name that no policy may hold.
 */
export async function takeRole(
  { task_id, attempt }: Pick<Task, 'task_id' | 'attempt'>,
  models: readonly string[],
  { roleArn, region, credentials, proxy, endpoint }: BedrockRoleOptions,
): Promise<RoleSession> {
  const policy = sessionPolicy(models, { roleArn, region });
  const { AssumeRoleCommand, STSClient } = await import('@aws-sdk/client-sts');
  const config: STSClientConfig = {
    region,
    requestHandler: { connectionTimeout: 10_000, requestTimeout: 20_000, ...agentFor(proxy) },
    ...(credentials ? { credentials } : {}),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
  const client = new STSClient(config);
  try {
    const { Credentials: keys } = await client.send(
      new AssumeRoleCommand({
        RoleArn: roleArn,
        RoleSessionName: `bgagent-${executionName(task_id, attempt)}`,
        DurationSeconds: SESSION_SECONDS,
        Policy: JSON.stringify(policy),
      }),
    );
    if (!keys?.AccessKeyId || !keys.SecretAccessKey || !keys.SessionToken || !keys.Expiration)
      throw new BgAgentError('MODEL_ROLE_UNAVAILABLE', 'AWS STS answered without keys');
    return {
      accessKeyId: keys.AccessKeyId,
      secretAccessKey: keys.SecretAccessKey,
      sessionToken: keys.SessionToken,
      expiresAt: keys.Expiration.toISOString(),
    };
  } catch (error) {
    throw toKnown(error, roleArn);
  } finally {
    client.destroy();
  }
}

const agentFor = (proxy: BedrockRoleOptions['proxy']) =>
  proxy ? { httpsAgent: { proxyEnv: { ...proxy } } } : {};

function toKnown(error: unknown, roleArn: string): BgAgentError {
  if (error instanceof BgAgentError) return error;
  const name = awsErrorName(error);
  const why = `${name}: ${messageOf(error)}`;
  const { code: kind, retryable } = awsFailure(error, {
    action: 'sts:AssumeRole',
    resource: roleArn,
    setting: 'bedrock_role_arn',
  });
  const known = (code: ErrorCode, message: string): BgAgentError =>
    new BgAgentError(code, message, { cause: error, field: 'bedrock_role_arn' });
  if (name === 'CredentialsProviderError')
    return known(
      'MODEL_NOT_CONFIGURED',
      'bedrock_role_arn is set, but there are no AWS keys to take the role with: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY as secrets, or run the platform where AWS gives it a role',
    );
  if (kind === 'AWS_ACCESS_DENIED')
    return known(
      'MODEL_ROLE_REFUSED',
      `AWS does not let the platform take the role ${roleArn} (bedrock_role_arn): it needs sts:AssumeRole on it, and the role’s trust policy must name it (${why})`,
    );
  if (kind === 'AWS_CREDENTIALS_REFUSED')
    return known(
      'MODEL_ROLE_REFUSED',
      `AWS does not take the keys that the platform asks for ${roleArn} (bedrock_role_arn) with; check the secrets AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN (${why})`,
    );
  if (!retryable)
    return known('MODEL_ROLE_REFUSED', `AWS did not give the role ${roleArn} (bedrock_role_arn): ${why}`);
  return known(
    'MODEL_ROLE_UNAVAILABLE',
    `AWS STS could not be asked for the role ${roleArn} (bedrock_role_arn): ${why}`,
  );
}
