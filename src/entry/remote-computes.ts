import { createHmac } from 'node:crypto';
import { createFallback } from '../compute/composite.ts';
import type { Handover } from '../compute/handover.ts';
import type { ComputeEvents, ComputeStrategy } from '../compute/strategy.ts';
import type { Settings } from '../config/settings.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Log } from '../task/log.ts';

export interface RemoteComputeOptions {
  settings: Settings;
  /** Secret of this platform, the same after a restart. */
  secret: Uint8Array;
  /** Where the API listens. */
  apiUrl(): string;
  events: ComputeEvents;
  now(): number;
  log: Log;
}

/**
 * The backends ECS and AgentCore, where the settings name a cluster or a runtime; nothing of them is loaded otherwise. Throws
 * VALIDATION_ERROR naming a setting that is missing.
 */
export async function openRemoteComputes(
  options: RemoteComputeOptions,
): Promise<(ComputeStrategy & { close?(): void })[]> {
  const { settings } = options;
  const opened = [];
  if (settings.ecs_cluster !== null) opened.push(await openEcs(options, settings.ecs_cluster));
  if (settings.agentcore_runtime_arn !== null)
    opened.push(await openAgentCore(options, settings.agentcore_runtime_arn));
  return opened;
}

async function openEcs(
  options: RemoteComputeOptions,
  cluster: string,
): Promise<ComputeStrategy & { close(): void }> {
  const { settings, events, now, log } = options;
  if (settings.ecs_subnets.length === 0) throw missing('ecs_subnets', 'ECS backend needs the subnets');
  const [{ createEcsCompute }, handover] = await Promise.all([
    import('../compute/ecs/ecs.ts'),
    openHandover(options, 'ECS'),
  ]);
  const client = once(async () => new (await import('@aws-sdk/client-ecs')).ECSClient(awsConfig(settings)));
  const [cpu, memory] = settings.ecs_read_only_size?.split('/') ?? [];
  const onProvider = (capacityProvider: 'FARGATE' | 'FARGATE_SPOT') =>
    createEcsCompute({
      client,
      cluster,
      taskDefinition: settings.ecs_task_definition,
      container: settings.ecs_container,
      capacityProvider,
      subnets: settings.ecs_subnets,
      securityGroups: settings.ecs_security_groups,
      assignPublicIp: settings.ecs_assign_public_ip,
      readOnlySize: cpu !== undefined && memory !== undefined ? { cpu, memory } : null,
      handover,
      events,
      pollMs: settings.ecs_poll_s * 1_000,
      now,
      log,
    });
  const wanted = {
    'on-demand': ['on-demand'],
    spot: ['spot'],
    'spot-then-on-demand': ['spot', 'on-demand'],
  } as const;
  const backends = wanted[settings.ecs_capacity].map((name) => ({
    name,
    compute: onProvider(name === 'spot' ? 'FARGATE_SPOT' : 'FARGATE'),
  }));
  return {
    ...createFallback({ type: 'ecs', backends }),
    close: () => {
      for (const { compute } of backends) compute.close();
    },
  };
}

async function openAgentCore(options: RemoteComputeOptions, runtimeArn: string): Promise<ComputeStrategy> {
  const { settings, events, log } = options;
  const [{ createAgentCoreCompute }, handover] = await Promise.all([
    import('../compute/agentcore/agentcore.ts'),
    openHandover(options, 'AgentCore'),
  ]);
  return createAgentCoreCompute({
    client: once(
      async () =>
        new (await import('@aws-sdk/client-bedrock-agentcore')).BedrockAgentCoreClient(awsConfig(settings)),
    ),
    runtimeArn,
    qualifier: settings.agentcore_qualifier,
    userId: settings.agentcore_user_id,
    handover,
    events,
    log,
  });
}

async function openHandover(
  { settings, secret, apiUrl, log }: RemoteComputeOptions,
  backend: string,
): Promise<Handover> {
  const { createHandover } = await import('../compute/handover.ts');
  if (settings.payload_bucket === null) throw missing('payload_bucket', `${backend} backend needs a bucket`);
  if (settings.public_url === null)
    log.warn(
      { event: 'entry.compute.no_public_url', setting: 'public_url', backend },
      'sessions will look for the platform where it listens; set public_url if that is not an address they reach',
    );
  return createHandover({
    bucket: settings.payload_bucket,
    client: once(
      async () =>
        new (await import('@aws-sdk/client-s3')).S3Client({
          ...awsConfig(settings),
          forcePathStyle: settings.aws_endpoint_url !== null,
        }),
    ),
    secret: createHmac('sha256', secret).update('keys of the hand-over').digest(),
    apiUrl: () => settings.public_url ?? apiUrl(),
  });
}

const awsConfig = ({ aws_region, aws_endpoint_url }: Settings) => ({
  region: aws_region,
  ...(aws_endpoint_url === null ? {} : { endpoint: aws_endpoint_url }),
});

const missing = (field: string, why: string): BgAgentError =>
  new BgAgentError('VALIDATION_ERROR', `${field}: the ${why}`, { field });

/** Made at the first call, and kept; a failure is not. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
