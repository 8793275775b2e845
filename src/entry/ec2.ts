import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ec2Compute } from '../compute/ec2/strategy.ts';
import type { ComputeEvents } from '../compute/strategy.ts';
import type { Settings } from '../config/settings.ts';
import type { InstanceStore } from '../stores/instance-store.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Log } from '../task/log.ts';

/**
 * The EC2 backend, where the settings name its groups; loaded only then. Throws VALIDATION_ERROR naming a setting that is missing.
 */
export async function openEc2(options: {
  settings: Settings;
  instances: InstanceStore;
  /** Where the API listens. */
  apiUrl(): string;
  events: ComputeEvents;
  now(): number;
  log: Log;
}): Promise<Ec2Compute | undefined> {
  const { settings, log } = options;
  if (Object.keys(settings.ec2_groups).length === 0) return undefined;
  if (settings.payload_bucket === null)
    throw new BgAgentError('VALIDATION_ERROR', 'payload_bucket: the EC2 backend needs a bucket', {
      field: 'payload_bucket',
    });
  const [{ createAwsCloud }, { poolsOf }, { createEc2Compute }] = await Promise.all([
    import('../compute/ec2/aws.ts'),
    import('../compute/ec2/pools.ts'),
    import('../compute/ec2/strategy.ts'),
  ]);
  const pools = poolsOf(settings.ec2_groups);
  if (settings.public_url === null)
    log.warn(
      { event: 'entry.ec2.no_public_url', setting: 'public_url' },
      'instances will look for the platform where it listens; set public_url if that is not an address they reach',
    );
  return createEc2Compute({
    cloud: createAwsCloud({
      region: settings.aws_region,
      endpoint: settings.aws_endpoint_url ?? undefined,
      fleet: settings.ec2_fleet,
      bucket: settings.payload_bucket,
      documentPrefix: settings.ec2_document_prefix,
      random: Math.random,
    }),
    instances: options.instances,
    fleet: settings.ec2_fleet,
    pools,
    image: settings.ec2_image,
    apiUrl: () => settings.public_url ?? options.apiUrl(),
    limits: {
      warmIdle: settings.ec2_warm_idle,
      reuse: settings.ec2_reuse,
      idleMs: settings.ec2_idle_s * 1_000,
      bootMs: settings.ec2_boot_s * 1_000,
      sweepMs: settings.ec2_sweep_s * 1_000,
      watchMs: settings.ec2_watch_s * 1_000,
    },
    owner: `platform-${process.pid}`,
    newKey: () => randomBytes(16).toString('hex'),
    now: options.now,
    random: Math.random,
    delay: (ms) => delay(ms, undefined, { ref: false }),
    events: options.events,
    log,
  });
}
