import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anInstance, aSession } from '../../../test/contracts/instance-store.contract.ts';
import { openInstances } from '../../../test/fixtures/ec2-fleet.ts';
import type { InstanceStore } from '../../stores/instance-store.ts';
import { claimMachine } from './claim.ts';
import { poolsOf } from './pools.ts';

const pools = poolsOf({ 't4g.large/on-demand': 'group', 't4g.large/spot': 'spot-group' });
const pool = 't4g.large/on-demand';

let store: Awaited<ReturnType<typeof openInstances>>;
let writes = 0;
/** Counts what is written. */
let instances: InstanceStore;
beforeEach(async () => {
  store = await openInstances();
  writes = 0;
  instances = {
    ...store.instances,
    claim(session) {
      writes += 1;
      return store.instances.claim(session);
    },
  };
});
afterEach(() => store.close());

const add = async (count: number): Promise<void> => {
  for (let at = 0; at < count; at += 1)
    await store.instances.add(anInstance({ instanceId: `i-${at}`, pool }));
};
const claim = (session = aSession({ instanceId: '' })) =>
  claimMachine({ instances, random: Math.random }, session, pools);

describe('a claim (E2)', () => {
  it('takes an idle machine of the first pool that has one', async () => {
    await add(1);
    expect(await claim()).toMatchObject({ kind: 'claimed', pool: { name: pool } });
    expect(writes).toBe(1);
  });

  it('writes nothing when nothing is idle', async () => {
    expect(await claim()).toEqual({ kind: 'none' });
    expect(writes).toBe(0);
  });

  it('finds that the session has a machine already', async () => {
    await add(2);
    const session = aSession({ instanceId: '' });
    expect(await claim(session)).toMatchObject({ kind: 'claimed' });
    expect(await claim(session)).toEqual({ kind: 'known' });
  });

  it('tries no machine twice, and none that is to be avoided', async () => {
    await add(3);
    const answers = await Promise.all(Array.from({ length: 5 }, () => claim()));
    expect(answers.filter(({ kind }) => kind === 'claimed')).toHaveLength(3);
    await add(0);
    await store.instances.add(anInstance({ instanceId: 'i-bad', pool }));
    const avoid = new Set(['i-bad']);
    const session = aSession({ instanceId: '' });
    expect(await claimMachine({ instances, random: Math.random }, session, pools, avoid)).toEqual({
      kind: 'none',
    });
  });

  it.each([
    { claimers: 16, machines: 64 },
    { claimers: 64, machines: 64 },
    { claimers: 64, machines: 16 },
  ])(
    'gives $machines machines to $claimers claimers at once without waste',
    async ({ claimers, machines }) => {
      await add(machines);
      const answers = await Promise.all(Array.from({ length: claimers }, () => claim()));
      const taken = answers.flatMap((answer) =>
        answer.kind === 'claimed' ? [answer.session.instanceId] : [],
      );
      expect(taken).toHaveLength(Math.min(claimers, machines));
      expect(new Set(taken).size).toBe(taken.length);
      // Twice what chance lets expect, so that chance fails no test.
      expect(writes / claimers).toBeLessThan(4);
    },
  );
});
