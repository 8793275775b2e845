import type { Instance } from '@aws-sdk/client-ec2';
import type { AwsRequest } from '../aws-failure.ts';
import { type AwsClients, type AwsCloudOptions, ask } from './aws.ts';
import type { Cloud, Machine } from './cloud.ts';

type Machines = Pick<
  Cloud,
  | 'machines'
  | 'machine'
  | 'groups'
  | 'setDesired'
  | 'capacityProblem'
  | 'terminate'
  | 'completeLaunch'
  | 'tag'
  | 'consoleOutput'
>;

/** What Auto Scaling answers for a launch hook that waits no more, or a machine that is no member any more. */
const OVER = ['ValidationError', 'ValidationException'];

/** EC2 and Auto Scaling. */
export function createMachines(clients: AwsClients, { fleet }: AwsCloudOptions): Machines {
  const ofFleet = (permission: string, what = `fleet ${fleet}`): AwsRequest => ({
    what,
    setting: 'ec2_groups',
    permission,
  });
  const isOurs = { Name: 'tag:bgagent:fleet', Values: [fleet] };

  return {
    async machines() {
      const { paginateDescribeInstances } = await import('@aws-sdk/client-ec2');
      return ask(ofFleet('ec2:DescribeInstances'), async () => {
        const found: Machine[] = [];
        const pages = paginateDescribeInstances(
          { client: await clients.ec2(), pageSize: 1_000 },
          { Filters: [isOurs] },
        );
        for await (const { Reservations = [] } of pages)
          for (const { Instances = [] } of Reservations) found.push(...Instances.map(toMachine));
        return found;
      });
    },

    async machine(instanceId) {
      const { DescribeInstancesCommand } = await import('@aws-sdk/client-ec2');
      const answer = await ask(
        ofFleet('ec2:DescribeInstances'),
        async () => (await clients.ec2()).send(new DescribeInstancesCommand({ InstanceIds: [instanceId] })),
        { unless: ['InvalidInstanceID.NotFound'], fallback: null },
      );
      const instance = answer?.Reservations?.[0]?.Instances?.[0];
      return instance && toMachine(instance);
    },

    async groups(names) {
      const { paginateDescribeAutoScalingGroups } = await import('@aws-sdk/client-auto-scaling');
      return ask(ofFleet('autoscaling:DescribeAutoScalingGroups'), async () => {
        const pages = paginateDescribeAutoScalingGroups(
          { client: await clients.autoScaling() },
          { AutoScalingGroupNames: [...names] },
        );
        const found = [];
        for await (const { AutoScalingGroups = [] } of pages)
          for (const group of AutoScalingGroups)
            found.push({
              name: group.AutoScalingGroupName ?? '',
              min: group.MinSize ?? 0,
              max: group.MaxSize ?? 0,
              desired: group.DesiredCapacity ?? 0,
              members: (group.Instances ?? []).map(({ InstanceId = '', LifecycleState = '' }) => ({
                instanceId: InstanceId,
                lifecycle: LifecycleState,
              })),
            });
        return found;
      });
    },

    async setDesired(group, desired) {
      const { SetDesiredCapacityCommand } = await import('@aws-sdk/client-auto-scaling');
      await ask(ofFleet('autoscaling:SetDesiredCapacity', `group ${group}`), async () =>
        (await clients.autoScaling()).send(
          new SetDesiredCapacityCommand({
            AutoScalingGroupName: group,
            DesiredCapacity: desired,
            HonorCooldown: false,
          }),
        ),
      );
    },

    async capacityProblem(group) {
      const { DescribeScalingActivitiesCommand } = await import('@aws-sdk/client-auto-scaling');
      const { Activities: [latest] = [] } = await ask(
        ofFleet('autoscaling:DescribeScalingActivities', `group ${group}`),
        async () =>
          (await clients.autoScaling()).send(
            new DescribeScalingActivitiesCommand({ AutoScalingGroupName: group, MaxRecords: 1 }),
          ),
      );
      return latest?.StatusCode === 'Failed' ? (latest.StatusMessage ?? latest.Cause) : undefined;
    },

    async terminate(group, instanceId, { decrement }) {
      const { SetInstanceProtectionCommand, TerminateInstanceInAutoScalingGroupCommand } = await import(
        '@aws-sdk/client-auto-scaling'
      );
      const gone = { unless: OVER, fallback: null };
      await ask<unknown>(
        ofFleet('autoscaling:SetInstanceProtection', `group ${group}`),
        async () =>
          (await clients.autoScaling()).send(
            new SetInstanceProtectionCommand({
              AutoScalingGroupName: group,
              InstanceIds: [instanceId],
              ProtectedFromScaleIn: false,
            }),
          ),
        gone,
      );
      await ask<unknown>(
        ofFleet('autoscaling:TerminateInstanceInAutoScalingGroup', `group ${group}`),
        async () =>
          (await clients.autoScaling()).send(
            new TerminateInstanceInAutoScalingGroupCommand({
              InstanceId: instanceId,
              ShouldDecrementDesiredCapacity: decrement,
            }),
          ),
        gone,
      );
    },

    async completeLaunch(group, instanceId, result) {
      const { CompleteLifecycleActionCommand } = await import('@aws-sdk/client-auto-scaling');
      await ask<unknown>(
        ofFleet('autoscaling:CompleteLifecycleAction', `group ${group}`),
        async () =>
          (await clients.autoScaling()).send(
            new CompleteLifecycleActionCommand({
              AutoScalingGroupName: group,
              LifecycleHookName: LAUNCH_HOOK,
              InstanceId: instanceId,
              LifecycleActionResult: result,
            }),
          ),
        { unless: OVER, fallback: null },
      );
    },

    async tag(instanceId, { status, taskId }) {
      const { CreateTagsCommand } = await import('@aws-sdk/client-ec2');
      await ask(ofFleet('ec2:CreateTags'), async () =>
        (await clients.ec2()).send(
          new CreateTagsCommand({
            Resources: [instanceId],
            Tags: [
              { Key: 'bgagent:status', Value: status },
              { Key: 'bgagent:task-id', Value: taskId },
            ],
          }),
        ),
      );
    },

    async consoleOutput(instanceId) {
      const { GetConsoleOutputCommand } = await import('@aws-sdk/client-ec2');
      const { Output = '' } = await ask(ofFleet('ec2:GetConsoleOutput'), async () =>
        (await clients.ec2()).send(new GetConsoleOutputCommand({ InstanceId: instanceId })),
      );
      return Buffer.from(Output, 'base64').toString('utf8');
    },
  };
}

/** Name of the launch hook of each group. */
const LAUNCH_HOOK = 'bgagent-launch';

const toMachine = ({ InstanceId = '', State, StateReason }: Instance): Machine => ({
  instanceId: InstanceId,
  state: State?.Name ?? 'unknown',
  interrupted: /^Server\.SpotInstance(Termination|Shutdown)$/.test(StateReason?.Code ?? ''),
});
