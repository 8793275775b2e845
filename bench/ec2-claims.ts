import { claimMachine } from '../src/compute/ec2/claim.ts';
import { poolsOf } from '../src/compute/ec2/pools.ts';
import { createIdSource } from '../src/task/ids.ts';
import { anInstance, aSession } from '../test/contracts/instance-store.contract.ts';
import { openInstances } from '../test/fixtures/ec2-fleet.ts';
import { type Bench, type Figure, round } from './figure.ts';

/** Conditional writes for one successful claim, with so many claimers at once on 64 idle machines. */
export const benches: Bench[] = [
  { name: 'claims_per_success_16_of_64', run: () => measure(16) },
  { name: 'claims_per_success_64_of_64', run: () => measure(64) },
];

const MACHINES = 64;
const ROUNDS = 100;
const [pool] = poolsOf({ 't4g.large/on-demand': 'group' });

async function measure(claimers: number): Promise<Figure[]> {
  const newId = createIdSource(Date.now);
  const perRound: number[] = [];
  const store = await openInstances();
  try {
    for (let at = 0; at < ROUNDS; at += 1) {
      const fleet = `fleet-${at}`;
      for (let machine = 0; machine < MACHINES; machine += 1)
        await store.instances.add(
          anInstance({ instanceId: `i-${at}-${machine}`, fleet, pool: pool?.name ?? '' }),
        );
      let writes = 0;
      const instances = {
        idle: store.instances.idle,
        claim(session: Parameters<typeof store.instances.claim>[0]) {
          writes += 1;
          return store.instances.claim(session);
        },
      };
      const answers = await Promise.all(
        Array.from({ length: claimers }, () =>
          claimMachine(
            { instances, random: Math.random },
            aSession({ taskId: newId(), fleet, instanceId: '' }),
            pool ? [pool] : [],
          ),
        ),
      );
      const successes = answers.filter(({ kind }) => kind === 'claimed').length;
      if (successes !== claimers) throw new Error(`${successes} of ${claimers} claims succeeded`);
      perRound.push(writes / successes);
    }
  } finally {
    await store.close();
  }
  const mean = perRound.reduce((sum, each) => sum + each, 0) / perRound.length;
  return [
    {
      name: `claims_per_success_${claimers}_of_64`,
      value: round(mean),
      unit: 'x',
      p50: null,
      p99: null,
      n: claimers * ROUNDS,
      ratio_to: null,
      ratio: null,
    },
  ];
}
