import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { computeContract } from '../../test/contracts/compute.contract.ts';
import { createFakeCompute, type FakeCompute } from '../../test/fakes/compute.ts';
import { createEcsWorld, type EcsWorld } from '../../test/fixtures/ecs.ts';
import { aSpec } from '../../test/fixtures/remote-runner.ts';
import { createFallback } from './composite.ts';
import type { SessionSpec, StartResult } from './strategy.ts';

computeContract(
  'fallback, of two small backends',
  async () => {
    const ended: string[] = [];
    const events = {
      sessionEnded: (taskId: string, attempt: number) => void ended.push(`${taskId}-${attempt}`),
      capacityFreed: () => undefined,
    };
    const idOf = (spec: SessionSpec) => `${spec.taskId}-${spec.attempt}`;
    const fakes = ['small', 'other'].map((type) => createFakeCompute({ capacity: 1, events, type }));
    for (const fake of fakes) {
      const { start } = fake;
      fake.start = async (spec) => {
        const answer = await start(spec);
        if (spec.token.startsWith('exit-')) fake.end(idOf(spec), Number(spec.token.slice(5)));
        return answer;
      };
    }
    const sessionOf = (spec: SessionSpec) => fakes.map(({ sessions }) => sessions.get(idOf(spec)));
    return {
      strategy: createFallback({
        type: 'fallback',
        backends: fakes.map((compute) => ({ name: compute.type, compute })),
      }),
      ended,
      spec: async (behaviour) => aSpec(behaviour),
      starts: async (spec) => sessionOf(spec).reduce((sum, found) => sum + (found?.starts ?? 0), 0),
      leftovers: async (spec) => (sessionOf(spec).some((s) => s?.state.kind === 'running') ? 2 : 0),
      close: async () => undefined,
    };
  },
  { capacity: 2 },
);

const spotFirst = (world: EcsWorld) =>
  createFallback({
    type: 'ecs',
    backends: [
      { name: 'spot', compute: world.open({ capacityProvider: 'FARGATE_SPOT' }) },
      { name: 'on-demand', compute: world.open({ capacityProvider: 'FARGATE' }) },
    ],
  });

computeContract(
  'fallback, of Fargate Spot and Fargate',
  async () => {
    const world = await createEcsWorld({ capacity: 2 });
    return { ...world, strategy: spotFirst(world) };
  },
  {
    capacity: 2,
    skips: [
      {
        reason: 'ECS itself remembers stopped tasks for about an hour',
        tests: ['knows nothing of a session that was cleaned up'],
      },
    ],
  },
);

describe('Fargate Spot before Fargate', () => {
  let world: EcsWorld;
  beforeEach(async () => {
    world = await createEcsWorld();
  });
  afterEach(() => world.close());
  const providers = () => world.ecs.tasks.map(({ capacityProvider }) => capacityProvider);
  const FULL = { error: 'ClientException', message: 'Capacity is unavailable at this time.' };

  it('takes Spot where there is some', async () => {
    await spotFirst(world).start(aSpec('wait'));
    expect(providers()).toEqual(['FARGATE_SPOT']);
  });

  it('takes on-demand where there is no Spot, and nothing when both are full', async () => {
    world.ecs.next.RunTask = [FULL];
    expect(await spotFirst(world).start(aSpec('wait'))).toMatchObject({
      kind: 'started',
      session: { ref: { backend: 'on-demand' } },
    });
    expect(providers()).toEqual(['FARGATE']);
    world.ecs.next.RunTask = [FULL, FULL];
    expect(await spotFirst(world).start(aSpec('wait'))).toMatchObject({
      kind: 'no-capacity',
      reason: expect.stringMatching(/^spot: .*; on-demand: /),
    });
  });

  it('goes on, after an interruption, where nothing is taken away', async () => {
    await spotFirst(world).start(aSpec('wait', { attempt: 2 }));
    expect(providers()).toEqual(['FARGATE']);
  });

  it('may be interrupted', () => {
    expect(spotFirst(world).capabilities).toMatchObject({ interruptible: true, maxSessions: null });
  });
});

describe('a fallback', () => {
  const events = { sessionEnded: () => undefined, capacityFreed: () => undefined };
  let first: FakeCompute;
  let second: FakeCompute;
  const both = () =>
    createFallback({
      type: 'both',
      backends: [first, second].map((compute) => ({ name: compute.type, compute })),
    });
  beforeEach(() => {
    first = createFakeCompute({ capacity: 1, events, type: 'first' });
    second = createFakeCompute({ capacity: 1, events, type: 'second' });
  });
  const sessionOf = (answer: StartResult) => {
    if (answer.kind !== 'started') throw new Error(answer.reason);
    return answer.session;
  };

  it('starts no second session where an earlier try got further down the list', async () => {
    const [blocker, spec] = [aSpec('wait'), aSpec('wait')];
    await both().start(blocker);
    await both().start(spec);
    // Its answer was lost, and meanwhile the first has room again.
    first.end(`${blocker.taskId}-1`, 0);
    const session = sessionOf(await both().start(spec));
    expect(session.ref).toMatchObject({ backend: 'second' });
    expect(first.sessions.has(session.id)).toBe(false);
  });

  it('finds, stops and clears up a session of which only the name is known', async () => {
    await both().start(aSpec('wait'));
    await both().start(aSpec('wait'));
    const [, other] = await both().list();
    if (!other) throw new Error('it lists too few');
    expect(other).toMatchObject({ type: 'both', ref: null });
    expect(await both().describe(other)).toEqual({ kind: 'running' });
    await both().stop(other, { graceMs: 0 });
    await both().cleanUp(other);
    expect(await both().list()).toHaveLength(1);
  });

  it('does not go on to the next when one fails: it may have started', async () => {
    first.before.start = () => {
      throw new Error('no answer');
    };
    await expect(both().start(aSpec('wait'))).rejects.toThrow('no answer');
    expect(second.sessions.size).toBe(0);
  });

  it('asks those that are left when the backend of a session is gone from its list', async () => {
    const session = sessionOf(await both().start(aSpec('wait')));
    const renamed = createFallback({ type: 'both', backends: [{ name: 'renamed', compute: first }] });
    expect(await renamed.describe(session)).toEqual({ kind: 'running' });
    await renamed.stop(session, { graceMs: 0 });
    expect((await renamed.describe(session)).kind).toBe('exited');
  });
});
