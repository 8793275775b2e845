import { computeContract } from '../../../test/contracts/compute.contract.ts';
import { createEcsWorld } from '../../../test/fixtures/ecs.ts';

const CAPACITY = 2;

computeContract('ecs', () => createEcsWorld({ capacity: CAPACITY }), {
  capacity: CAPACITY,
  skips: [
    {
      reason: 'ECS itself remembers stopped tasks for about an hour',
      tests: ['knows nothing of a session that was cleaned up'],
    },
  ],
});
