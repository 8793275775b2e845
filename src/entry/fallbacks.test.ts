import { expect, it } from 'vitest';
import { createFakeCompute } from '../../test/fakes/compute.ts';
import { aSpec } from '../../test/fixtures/remote-runner.ts';
import { openFallbacks } from './fallbacks.ts';

const events = { sessionEnded: () => undefined, capacityFreed: () => undefined };
const backend = (type: string, capacity = 1) => createFakeCompute({ capacity, events, type });

it('a backend is made of others, in the order of the settings', async () => {
  const [ec2, ecs] = [backend('ec2', 0), backend('ecs')];
  const [any] = openFallbacks({ compute_fallbacks: { any: ['ec2', 'ecs'] } }, [ecs, ec2]);
  expect(any?.type).toBe('any');
  expect(await any?.start(aSpec('wait'))).toMatchObject({ kind: 'started', session: { type: 'any' } });
  expect(ecs.sessions.size).toBe(1);
});

it.each([
  [{ ecs: ['ec2', 'ecs'] }, /"ecs" is the name of a backend already/],
  [{ any: ['ecs', 'mainframe'] }, /"any" names "mainframe".*it has ec2, ecs/],
])('a fallback that can not be is refused: %j', (compute_fallbacks, message) => {
  expect(() => openFallbacks({ compute_fallbacks }, [backend('ec2'), backend('ecs')])).toThrow(message);
});
