import { describe, expect, it } from 'vitest';
import { anInstance } from '../../../test/contracts/instance-store.contract.ts';
import type { FleetInstance } from '../../stores/instance-store.ts';
import { demandOf, surplus } from './demand.ts';

const pool = 't4g.large/on-demand';
const phases = (...all: FleetInstance['phase'][]) => all.map((phase) => anInstance({ phase, pool }));
const wishes = (count: number, untilMs = 1_000) =>
  Array.from({ length: count }, (_, at) => ({ sessionId: `s-${at}`, fleet: 'octo', pool, untilMs }));
const demand = (
  instances: readonly FleetInstance[],
  { wished = 0, warmIdle = 0, min = 0, max = 10, untilMs = 1_000 } = {},
) => demandOf(pool, { instances, wishes: wishes(wished, untilMs), group: { min, max }, warmIdle, now: 500 });

describe('what a pool needs (E10)', () => {
  it.each([
    ['nothing, when nothing runs and nobody waits', phases(), {}, 0],
    ['a machine for each that runs', phases('busy', 'busy', 'idle'), {}, 2],
    ['one for each that waits', phases('busy'), { wished: 2 }, 3],
    ['the warm ones besides', phases('busy'), { wished: 1, warmIdle: 2 }, 4],
    ['no more than the group may have', phases('busy', 'busy'), { wished: 5, max: 4 }, 4],
    ['no fewer than the group must have', phases(), { min: 1 }, 1],
    ['none for a wish that nobody repeats', phases(), { wished: 3, untilMs: 400 }, 0],
    ['none for machines that end or did not boot', phases('draining', 'boot-failed'), {}, 0],
  ])('is %s', (_, instances, options, target) => {
    expect(demand(instances, options).target).toBe(target);
  });

  it('counts machines that boot, so that nobody is asked for twice', () => {
    expect(demand(phases('booting', 'idle', 'busy', 'draining'))).toMatchObject({
      alive: 3,
      booting: 1,
      idle: 1,
      busy: 1,
    });
  });
});

describe('machines that are too many (E11)', () => {
  const idleSince = (...times: number[]) =>
    times.map((sinceMs) => anInstance({ phase: 'idle', pool, sinceMs }));

  it('are the longest idle, and never a busy one', () => {
    const idle = idleSince(30, 10, 20);
    const instances = [...idle, ...phases('busy')];
    const found = surplus(instances, {
      pool,
      demand: demand(instances, { warmIdle: 1 }),
      idleMs: 100,
      now: 500,
    });
    expect(found.map(({ sinceMs }) => sinceMs)).toEqual([10, 20]);
  });

  it('are left while they are not idle for long', () => {
    const instances = idleSince(450);
    expect(surplus(instances, { pool, demand: demand(instances), idleMs: 100, now: 500 })).toEqual([]);
  });
});
