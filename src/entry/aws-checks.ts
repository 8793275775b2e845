import type { Settings } from '../config/settings.ts';
import { messageOf } from '../task/errors.ts';

/** What stands in the way of the backends on AWS, as far as can be seen without a call to it. */
export interface AwsInspection {
  /** The backends that the settings name. */
  backends: string[];
  problems: { problem: string; remedy: string }[];
}

export type AwsSettings = Pick<
  Settings,
  'ec2_groups' | 'ecs_cluster' | 'agentcore_runtime_arn' | 'aws_region' | 'payload_bucket' | 'public_url'
>;

/** Null when the settings name no backend on AWS. */
export async function inspectAws(
  settings: AwsSettings,
  credentials: (region: string) => Promise<unknown> = awsCredentials,
): Promise<AwsInspection | null> {
  const backends = [
    ...(Object.keys(settings.ec2_groups).length > 0 ? ['ec2'] : []),
    ...(settings.ecs_cluster === null ? [] : ['ecs']),
    ...(settings.agentcore_runtime_arn === null ? [] : ['agentcore']),
  ];
  if (backends.length === 0) return null;
  const problems: AwsInspection['problems'] = [];
  if (settings.payload_bucket === null)
    problems.push({
      problem: 'payload_bucket is not set',
      remedy: 'Set it to the S3 bucket through which sessions get what they start with.',
    });
  if (settings.public_url === null)
    problems.push({
      problem: 'public_url is not set',
      remedy: 'Set it to the address at which sessions on AWS reach this platform.',
    });
  try {
    await credentials(settings.aws_region);
  } catch (error) {
    problems.push({
      problem: `no credentials for AWS: ${messageOf(error)}`,
      remedy: 'Give the platform some: a profile (AWS_PROFILE), a role, or keys in its environment.',
    });
  }
  return { backends, problems };
}

/** Where the SDK looks for them. */
async function awsCredentials(region: string): Promise<unknown> {
  const { STSClient } = await import('@aws-sdk/client-sts');
  const client = new STSClient({ region });
  try {
    return await client.config.credentials();
  } finally {
    client.destroy();
  }
}
