import { messageOf } from '../../task/errors.ts';
import type { Group, Machine } from './cloud.ts';
import { type Demand, demandOf, surplus } from './demand.ts';
import { advanceBoot } from './lifecycle.ts';
import type { FleetParts } from './parts.ts';
import type { Pool } from './pools.ts';

/** What a sweep found and left. */
export interface Swept {
  /** Machines became idle. */
  ready: number;
  /** Sessions whose machine is gone. */
  lost: { sessionId: string; interrupted: boolean; reason: string }[];
  /** Somebody waits, or a machine is between two phases: sweep again soon. */
  unsettled: boolean;
  demands: ReadonlyMap<string, Demand>;
  /** Why a pool gets no machines, by pool. */
  problems: ReadonlyMap<string, string>;
}

/** A machine that is not listed, though it has a record, is believed gone after so long: lists are not always up to date. */
const UNLISTED_MS = 60_000;

/**
 * Brings the fleet's records in line with AWS: new machines are added and checked, dead ones forgotten, too few asked for, too many
 * retired. Every change is conditional on the record, so sweeps may run twice, at once and late.
 */
export async function sweep(parts: FleetParts): Promise<Swept> {
  const { cloud, instances, fleet, pools } = parts;
  const [groups, machines] = await Promise.all([
    cloud.groups(pools.map(({ group }) => group)),
    cloud.machines(),
  ]);
  const byId = new Map(machines.map((machine) => [machine.instanceId, machine]));
  const members = membersOf(groups);
  await addNew(parts, groups, byId);
  const lost = await forgetGone(parts, byId);
  const ready = await bootAll(parts, members);
  await endDraining(parts, byId, members);
  const problems = new Map<string, string>();
  const demands = new Map<string, Demand>();
  for (const pool of pools) {
    const group = groups.find(({ name }) => name === pool.group);
    if (!group) {
      problems.set(pool.name, `the Auto Scaling group ${pool.group} of ec2_groups is not there`);
      continue;
    }
    const { demand, problem } = await adjust(parts, pool, group);
    demands.set(pool.name, demand);
    if (problem !== undefined) problems.set(pool.name, problem);
  }
  const after = await instances.list(fleet);
  const unsettled =
    after.some(({ phase }) => phase !== 'idle' && phase !== 'busy') ||
    [...demands.values()].some(({ alive, target, wished }) => wished > 0 || alive !== target);
  return { ready, lost, unsettled, demands, problems };
}

type Member = { group: string; lifecycle: string };

const membersOf = (groups: readonly Group[]): ReadonlyMap<string, Member> =>
  new Map(
    groups.flatMap(({ name, members }) =>
      members.map(({ instanceId, lifecycle }) => [instanceId, { group: name, lifecycle }] as const),
    ),
  );

const isAlive = (machine: Machine | undefined): boolean =>
  machine !== undefined && ['pending', 'running', 'stopping', 'stopped'].includes(machine.state);

async function addNew(
  { instances, fleet, pools, now }: FleetParts,
  groups: readonly Group[],
  byId: ReadonlyMap<string, Machine>,
): Promise<void> {
  const known = new Set((await instances.list(fleet)).map(({ instanceId }) => instanceId));
  for (const pool of pools)
    for (const { instanceId, lifecycle } of groups.find(({ name }) => name === pool.group)?.members ?? [])
      if (!known.has(instanceId) && isAlive(byId.get(instanceId)) && !lifecycle.startsWith('Terminat'))
        await instances.add({
          instanceId,
          fleet,
          pool: pool.name,
          phase: 'booting',
          sinceMs: now(),
          sessionId: null,
          checkCommandId: null,
          reason: null,
          sessionsRun: 0,
        });
}

async function forgetGone(
  { instances, fleet, now }: FleetParts,
  byId: ReadonlyMap<string, Machine>,
): Promise<Swept['lost']> {
  const lost: Swept['lost'] = [];
  for (const { instanceId, phase, sessionId, sinceMs } of await instances.list(fleet)) {
    const machine = byId.get(instanceId);
    if (machine === undefined ? now() < sinceMs + UNLISTED_MS : machine.state !== 'terminated') continue;
    if (phase !== 'busy') await instances.remove(instanceId);
    else if (sessionId !== null) {
      const interrupted = machine?.interrupted ?? false;
      const reason = interrupted ? 'AWS took the Spot instance back' : `instance ${instanceId} is gone`;
      lost.push({ sessionId, interrupted, reason });
    }
  }
  return lost;
}

async function bootAll(parts: FleetParts, members: ReadonlyMap<string, Member>): Promise<number> {
  const { instances, cloud, fleet, pools, log } = parts;
  const booting = (await instances.list(fleet)).filter(({ phase }) => phase === 'booting');
  if (booting.length === 0) return 0;
  const online = await cloud.online(booting.map(({ instanceId }) => instanceId));
  let ready = 0;
  for (const instance of booting) {
    const pool = pools.find(({ name }) => name === instance.pool);
    if (!pool) continue;
    const { lifecycle = '' } = members.get(instance.instanceId) ?? {};
    try {
      if (await advanceBoot(parts, instance, { pool, lifecycle, online: online.has(instance.instanceId) }))
        ready += 1;
    } catch (error) {
      log.warn(
        {
          event: 'compute.ec2.boot_step_failed',
          instance_id: instance.instanceId,
          error: messageOf(error),
        },
        'a step of a boot failed; it is taken again at the next sweep',
      );
    }
  }
  return ready;
}

/** Ends what has been given up and is still there: the call that should have ended it was lost, or there was no launch hook. */
async function endDraining(
  { instances, cloud, fleet, pools, limits, now }: FleetParts,
  byId: ReadonlyMap<string, Machine>,
  members: ReadonlyMap<string, Member>,
): Promise<void> {
  for (const { instanceId, pool, phase, sinceMs } of await instances.list(fleet)) {
    if (phase !== 'draining' && phase !== 'boot-failed') continue;
    const member = members.get(instanceId);
    if (now() < sinceMs + limits.sweepMs || !isAlive(byId.get(instanceId))) continue;
    const group = pools.find(({ name }) => name === pool)?.group;
    if (group === undefined || !member || member.lifecycle.startsWith('Terminat')) continue;
    await cloud.terminate(group, instanceId, { decrement: false });
  }
}

/** More machines where too few are, fewer where too many have been idle for long. */
async function adjust(
  parts: FleetParts,
  pool: Pool,
  group: Group,
): Promise<{ demand: Demand; problem: string | undefined }> {
  const { instances, cloud, fleet, limits, now } = parts;
  const [records, wishes] = await Promise.all([instances.list(fleet), instances.wishes(fleet)]);
  const demand = demandOf(pool.name, {
    instances: records,
    wishes,
    group,
    warmIdle: limits.warmIdle,
    now: now(),
  });
  for (const { instanceId } of surplus(records, {
    pool: pool.name,
    demand,
    idleMs: limits.idleMs,
    now: now(),
  }))
    if (await instances.move(instanceId, { from: ['idle'], to: 'draining' }))
      await cloud.terminate(group.name, instanceId, { decrement: true });
  let problem: string | undefined;
  if (demand.wished > demand.idle) {
    // Machines that end still count for their group until they are gone.
    if (group.desired < demand.target) await cloud.setDesired(group.name, demand.target);
    else if (demand.alive < demand.target) problem = await cloud.capacityProblem(group.name);
    if (demand.busy + demand.booting >= group.max) problem ??= `the group has its ${group.max} machines`;
  } else if (group.desired < demand.target) await cloud.setDesired(group.name, demand.target);
  return { demand, problem };
}
