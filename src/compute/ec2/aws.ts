import type { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import type { EC2Client } from '@aws-sdk/client-ec2';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { awsErrorName } from '../../aws/failure.ts';
import { type AwsRequest, awsFailure } from '../aws-failure.ts';
import { createCommands } from './aws-commands.ts';
import { createMachines } from './aws-machines.ts';
import type { Cloud } from './cloud.ts';

export interface AwsCloudOptions {
  region: string;
  /** Another server that speaks AWS's APIs, for tests. Default: AWS. */
  endpoint?: string | undefined;
  fleet: string;
  bucket: string;
  /** Names of the documents are `<prefix>-start`, `<prefix>-stop`, `<prefix>-boot-check`. */
  documentPrefix: string;
  /** 0 up to 1. */
  random(): number;
}

/** Clients are made at the first use: the SDK is large. */
export interface AwsClients {
  ec2(): Promise<EC2Client>;
  autoScaling(): Promise<AutoScalingClient>;
  s3(): Promise<S3Client>;
  ssm(): Promise<SSMClient>;
  /** One that never repeats a request, for those that are not idempotent. */
  ssmOnce(): Promise<SSMClient>;
  close(): void;
}

/** The fleet's calls on the AWS SDK. */
export function createAwsCloud(options: AwsCloudOptions): Cloud & { close(): void } {
  const clients = createClients(options);
  const { bucket } = options;
  const ofBucket = (permission: string): AwsRequest => ({
    what: `bucket ${bucket}`,
    setting: 'payload_bucket',
    permission,
  });
  return {
    ...createCommands(clients, options),
    ...createMachines(clients, options),
    close: clients.close,
    payloadLocation: (key) => `s3://${bucket}/${key}`,
    async putPayload(key, body) {
      const { PutObjectCommand } = await import('@aws-sdk/client-s3');
      await ask(ofBucket('s3:PutObject'), async () =>
        (await clients.s3()).send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body })),
      );
    },
    async deletePayload(key) {
      const { DeleteObjectCommand } = await import('@aws-sdk/client-s3');
      await ask(ofBucket('s3:DeleteObject'), async () =>
        (await clients.s3()).send(new DeleteObjectCommand({ Bucket: bucket, Key: key })),
      );
    },
  };
}

/** Runs a call; what it throws names the setting or the permission to mend. Errors of these names are answered with `fallback`. */
export async function ask<T>(
  request: AwsRequest,
  call: () => Promise<T>,
  { unless = [], fallback }: { unless?: readonly string[]; fallback?: T } = {},
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (unless.includes(awsErrorName(error)) && fallback !== undefined) return fallback;
    throw awsFailure(error, request);
  }
}

const TIMEOUTS = { connectionTimeout: 5_000, requestTimeout: 20_000 };

function createClients({ region, endpoint }: AwsCloudOptions): AwsClients {
  const config = { region, ...(endpoint === undefined ? {} : { endpoint }), requestHandler: TIMEOUTS };
  const made: { destroy(): void }[] = [];
  const once = <T extends { destroy(): void }>(make: () => Promise<T>): (() => Promise<T>) => {
    let client: Promise<T> | undefined;
    return () => {
      client ??= make().then((ready) => {
        made.push(ready);
        return ready;
      });
      return client;
    };
  };
  return {
    ec2: once(async () => new (await import('@aws-sdk/client-ec2')).EC2Client(config)),
    autoScaling: once(
      async () => new (await import('@aws-sdk/client-auto-scaling')).AutoScalingClient(config),
    ),
    // The bucket is in the path where it can't be in the name of a test's server.
    s3: once(
      async () =>
        new (await import('@aws-sdk/client-s3')).S3Client({
          ...config,
          forcePathStyle: endpoint !== undefined,
        }),
    ),
    ssm: once(async () => new (await import('@aws-sdk/client-ssm')).SSMClient(config)),
    ssmOnce: once(
      async () => new (await import('@aws-sdk/client-ssm')).SSMClient({ ...config, maxAttempts: 1 }),
    ),
    close() {
      for (const client of made.splice(0)) client.destroy();
    },
  };
}
