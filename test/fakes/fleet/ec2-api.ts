import type { SimGroups } from './groups.ts';
import { AwsError, type Modes, type SimGroup, type SimInstance } from './state.ts';
import { listOf, type Xml } from './wire.ts';

type Api = Record<string, (form: URLSearchParams) => Xml>;

const PAGE = 3;

/** EC2's answers, by action (query protocol). */
export function ec2Api({
  fleet,
  instances,
  modes,
}: {
  fleet: string;
  instances: ReadonlyMap<string, SimInstance>;
  modes: Modes;
}): Api {
  const shown = ({ id, state, interrupted, tags }: SimInstance): Xml[] => {
    const seen = state.seen(modes.readDelayMs);
    if (seen === undefined) return [];
    const reason = interrupted && seen === 'terminated' ? 'Server.SpotInstanceTermination' : undefined;
    return [
      {
        instanceId: id,
        instanceState: { name: seen },
        stateReason: reason === undefined ? undefined : { code: reason },
        tagSet: [...tags].map(([key, value]) => ({ key, value })),
      },
    ];
  };
  return {
    DescribeInstances(form) {
      const ids = listOf(form, 'InstanceId');
      if (ids.length > 0) {
        const found = ids.flatMap((id) => {
          const instance = instances.get(id);
          return instance ? shown(instance) : [];
        });
        if (found.length === 0) throw new AwsError('InvalidInstanceID.NotFound');
        return { reservationSet: [{ instancesSet: found }] };
      }
      if (form.get('Filter.1.Name') !== 'tag:bgagent:fleet' || form.get('Filter.1.Value.1') !== fleet)
        return { reservationSet: [] };
      const all = [...instances.values()].flatMap(shown);
      const from = Number(form.get('NextToken') ?? 0);
      const next = from + PAGE < all.length ? String(from + PAGE) : undefined;
      return { reservationSet: [{ instancesSet: all.slice(from, from + PAGE) }], nextToken: next };
    },
    CreateTags(form) {
      for (const id of listOf(form, 'ResourceId'))
        for (const [at, key] of listOf(form, 'Tag', '.Key').entries()) {
          if (!['bgagent:status', 'bgagent:task-id'].includes(key))
            throw new AwsError('UnauthorizedOperation');
          instances.get(id)?.tags.set(key, form.get(`Tag.${at + 1}.Value`) ?? '');
        }
      return { return: true };
    },
    GetConsoleOutput(form) {
      const id = form.get('InstanceId') ?? '';
      return {
        instanceId: id,
        output: Buffer.from(`${id} printed this while it booted\n`).toString('base64'),
      };
    },
  };
}

/** Auto Scaling's answers, by action (query protocol). */
export function groupApi({
  groups,
  byName,
  instances,
  modes,
}: {
  groups: SimGroups;
  byName: ReadonlyMap<string, SimGroup>;
  instances: ReadonlyMap<string, SimInstance>;
  modes: Modes;
}): Api {
  const members = (name: string): Xml[] =>
    [...instances.values()]
      .filter(({ group }) => group === name)
      .flatMap(({ id, lifecycle, state }) => {
        const seen = lifecycle.seen(modes.readDelayMs);
        if (seen === undefined || state.seen(modes.readDelayMs) === 'terminated') return [];
        return [{ InstanceId: id, LifecycleState: seen }];
      });
  const required = (form: URLSearchParams, name: string): string => {
    const value = form.get(name);
    if (value === null) throw new AwsError('ValidationError', `${name} is missing`);
    return value;
  };
  return {
    DescribeAutoScalingGroups(form) {
      const found = listOf(form, 'AutoScalingGroupNames.member').flatMap((name) => {
        const group = byName.get(name);
        return group ? [group] : [];
      });
      return {
        AutoScalingGroups: found.map(({ name, min, max, desired }) => ({
          AutoScalingGroupName: name,
          MinSize: min,
          MaxSize: max,
          DesiredCapacity: desired,
          Instances: members(name),
        })),
      };
    },
    SetDesiredCapacity(form) {
      groups.setDesired(required(form, 'AutoScalingGroupName'), Number(required(form, 'DesiredCapacity')));
      return {};
    },
    DescribeScalingActivities(form) {
      const group = byName.get(required(form, 'AutoScalingGroupName'));
      const [StatusCode, StatusMessage] = group?.outOfCapacity
        ? ['Failed', 'We currently do not have sufficient capacity in the Availability Zone you requested.']
        : ['Successful', undefined];
      return { Activities: [{ ActivityId: '1', StatusCode, StatusMessage }] };
    },
    SetInstanceProtection(form) {
      const on = required(form, 'ProtectedFromScaleIn') === 'true';
      for (const id of listOf(form, 'InstanceIds.member')) groups.protect(id, on);
      return {};
    },
    TerminateInstanceInAutoScalingGroup(form) {
      const decrement = required(form, 'ShouldDecrementDesiredCapacity') === 'true';
      groups.terminate(required(form, 'InstanceId'), decrement);
      return {};
    },
    CompleteLifecycleAction(form) {
      required(form, 'LifecycleHookName');
      groups.complete(required(form, 'InstanceId'), required(form, 'LifecycleActionResult'));
      return {};
    },
  };
}
