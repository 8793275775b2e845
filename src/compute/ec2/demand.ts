import type { FleetInstance, Wish } from '../../stores/instance-store.ts';
import type { Group } from './cloud.ts';

/** What a pool has, and what it should have. */
export interface Demand {
  /** Machines that serve or will: booting, idle, busy. */
  alive: number;
  idle: number;
  busy: number;
  booting: number;
  /** Sessions that wait for a machine of the pool. */
  wished: number;
  /** Machines it should have: for who runs, who waits and the warm ones, within the group's limits. */
  target: number;
}

/** Pure: what a pool needs, from its records, the wishes and its group. */
export function demandOf(
  pool: string,
  {
    instances,
    wishes,
    group,
    warmIdle,
    now,
  }: {
    instances: readonly FleetInstance[];
    wishes: readonly Wish[];
    group: Pick<Group, 'min' | 'max'>;
    warmIdle: number;
    now: number;
  },
): Demand {
  const own = instances.filter((instance) => instance.pool === pool);
  const count = (phase: FleetInstance['phase']): number =>
    own.filter((instance) => instance.phase === phase).length;
  const [idle, busy, booting] = [count('idle'), count('busy'), count('booting')];
  const wished = wishes.filter((wish) => wish.pool === pool && wish.untilMs > now).length;
  const target = Math.min(group.max, Math.max(group.min, busy + wished + warmIdle));
  return { alive: idle + busy + booting, idle, busy, booting, wished, target };
}

/** Idle machines that are too many, the longest idle first; only those that have been idle for so long. */
export function surplus(
  instances: readonly FleetInstance[],
  { pool, demand, idleMs, now }: { pool: string; demand: Demand; idleMs: number; now: number },
): FleetInstance[] {
  const spare = Math.max(0, demand.alive - demand.target);
  return instances
    .filter(
      (instance) => instance.pool === pool && instance.phase === 'idle' && instance.sinceMs <= now - idleMs,
    )
    .sort((a, b) => a.sinceMs - b.sinceMs)
    .slice(0, spare);
}
