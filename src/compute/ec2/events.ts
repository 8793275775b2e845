import { z } from 'zod';
import type { AwsEvent, FleetChange, SessionSignal } from '../signal.ts';

/** Events about instances, and where each names its instance. */
const CHANGES: Readonly<Record<string, { source: string; what: FleetChange; instance: string }>> = {
  'EC2 Instance-launch Lifecycle Action': {
    source: 'aws.autoscaling',
    what: 'launching',
    instance: 'EC2InstanceId',
  },
  'EC2 Instance-terminate Lifecycle Action': {
    source: 'aws.autoscaling',
    what: 'terminating',
    instance: 'EC2InstanceId',
  },
  'EC2 Spot Instance Interruption Warning': {
    source: 'aws.ec2',
    what: 'interruption',
    instance: 'instance-id',
  },
  'EC2 Instance Rebalance Recommendation': { source: 'aws.ec2', what: 'rebalance', instance: 'instance-id' },
  'EC2 Instance State-change Notification': {
    source: 'aws.ec2',
    what: 'state-changed',
    instance: 'instance-id',
  },
  'EC2 Command Invocation Status-change Notification': {
    source: 'aws.ssm',
    what: 'command-ended',
    instance: 'instance-id',
  },
};

/** Statuses of a command that is still under way, as events spell them. */
const UNDER_WAY = new Set(['Pending', 'InProgress', 'Delayed', 'Cancelling']);

/** Auto Scaling's lifecycle, Spot, rebalance and state of an instance, the end of a command; undefined for everything else. */
export function ec2Signal(event: AwsEvent): SessionSignal | undefined {
  const change = CHANGES[event['detail-type']];
  if (!change || change.source !== event.source) return undefined;
  const instanceId = z.string().startsWith('i-').safeParse(event.detail[change.instance]).data;
  if (instanceId === undefined) return undefined;
  if (change.what === 'command-ended' && UNDER_WAY.has(String(event.detail.status))) return undefined;
  return { kind: 'fleet', instanceId, what: change.what };
}
