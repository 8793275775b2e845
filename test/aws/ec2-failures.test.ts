import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FleetLimits } from '../../src/compute/ec2/parts.ts';
import type { Ec2Compute } from '../../src/compute/ec2/strategy.ts';
import type { SessionSpec, StartResult } from '../../src/compute/strategy.ts';
import type { InstanceStore } from '../../src/stores/instance-store.ts';
import { createIdSource } from '../../src/task/ids.ts';
import type { Session } from '../../src/task/task.ts';
import {
  createFleetSimulator,
  type FleetSimulator,
  type SimulatorOptions,
} from '../fakes/fleet/simulator.ts';
import { ec2On, openInstances, recordingLog } from '../fixtures/ec2-fleet.ts';
import { type StartPlatform, startStartPlatform } from '../fixtures/start-platform.ts';

const newId = createIdSource(Date.now);
const POOL = 't4g.large/on-demand';
const RUNNER = `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000);`;

interface World {
  simulator: FleetSimulator;
  compute: Ec2Compute;
  instances: InstanceStore;
  platform: StartPlatform;
  log: ReturnType<typeof recordingLog>;
  ended: string[];
  idle(count: number): Promise<void>;
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function createWorld({
  machines = 1,
  limits = {},
  apiUrl,
  ...options
}: Partial<SimulatorOptions> & {
  machines?: number;
  limits?: Partial<FleetLimits>;
  apiUrl?: string;
} = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-failures-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'runner.mjs'), RUNNER);
  const platform = await startStartPlatform();
  closers.push(() => platform.close());
  const simulator = await createFleetSimulator({
    groups: [{ name: 'octo-group', max: Math.max(1, machines), desired: machines }],
    runner: [process.execPath, join(folder, 'runner.mjs')],
    ...options,
  });
  closers.push(() => simulator.close());
  const store = await openInstances();
  closers.push(() => store.close());
  const log = recordingLog();
  const ended: string[] = [];
  const compute = ec2On(simulator, {
    instances: store.instances,
    apiUrl: () => apiUrl ?? platform.url,
    groups: { [POOL]: 'octo-group' },
    limits: { warmIdle: machines, ...limits },
    events: {
      sessionEnded: (taskId, attempt) => ended.push(`${taskId}-${attempt}`),
      capacityFreed: () => undefined,
    },
    log,
  });
  closers.push(() => compute.close());
  compute.attach();
  const idle = (count: number) =>
    soon(async () => expect(await store.instances.idle('octo', POOL)).toHaveLength(count));
  await idle(machines);
  return { simulator, compute, instances: store.instances, platform, log, ended, idle };
}

const soon = (holds: () => unknown): Promise<void> =>
  vi.waitFor(async () => void (await holds()), { timeout: 60_000, interval: 50 });
const spec = (fields: Partial<SessionSpec> = {}): SessionSpec => ({
  taskId: newId(),
  attempt: 1,
  token: 'token',
  readOnly: false,
  instanceType: null,
  deadlineAtMs: Date.now() + 600_000,
  ...fields,
});
const sessionIn = (result: StartResult): Session => {
  if (result.kind !== 'started') throw new Error(result.reason);
  return result.session;
};
const starts = ({ simulator }: World) =>
  simulator.commands.all().filter(({ document }) => document === 'start');

describe('what can’t work names what mends it, and gives the machine back (E6, C3)', () => {
  it.each([
    ['a denied permission', 'SendCommand', 'AccessDeniedException', /ssm:SendCommand/],
    ['a denied permission on the bucket', 'PUT object', 'AccessDenied', /s3:PutObject.*octo-payloads/],
    ['expired credentials', 'SendCommand', 'ExpiredTokenException', /expired|credentials/i],
    ['a bucket in another region', 'PUT object', 'PermanentRedirect', /region/],
    ['a document of another version', 'SendCommand', 'InvalidParameters', /octo-fleet-start.*version/],
  ])('%s', async (_, action, error, message) => {
    const world = await createWorld();
    world.simulator.modes.refuse = (asked) => (asked === action ? error : undefined);
    await expect(world.compute.start(spec())).rejects.toMatchObject({
      code: expect.stringMatching(/^COMPUTE_/),
      message: expect.stringMatching(message),
    });
    await world.idle(1);
    expect(await world.instances.sessions('octo')).toEqual([]);
  });

  it('a deleted bucket', async () => {
    const world = await createWorld();
    world.simulator.buckets.clear();
    await expect(world.compute.start(spec())).rejects.toMatchObject({
      code: 'COMPUTE_MISCONFIGURED',
      message: expect.stringMatching(/octo-payloads.*payload_bucket/s),
    });
    await world.idle(1);
  });

  it('a document that is not there', async () => {
    const world = await createWorld();
    world.simulator.documents.delete('start');
    await expect(world.compute.start(spec())).rejects.toMatchObject({
      code: 'COMPUTE_MISCONFIGURED',
      message: expect.stringMatching(/octo-fleet-start.*ec2_document_prefix/),
    });
    await world.idle(1);
    expect(world.log.lines).toContainEqual(expect.objectContaining({ event: 'compute.ec2.rolled_back' }));
  });

  it('an instance type that the fleet lacks', async () => {
    const world = await createWorld();
    await expect(world.compute.start(spec({ instanceType: 'g5.xlarge' }))).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      message: expect.stringContaining('t4g.large'),
    });
  });

  it('a payload over 5 MB', async () => {
    const world = await createWorld();
    const token = 'x'.repeat(5 * 1024 * 1024);
    await expect(world.compute.start(spec({ token }))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    await world.idle(1);
  });

  it('a rollback that fails logs its own error', async () => {
    const world = await createWorld();
    world.simulator.documents.delete('start');
    world.instances.undo = () => Promise.reject(new Error('the table is gone'));
    await expect(world.compute.start(spec())).rejects.toThrow(/octo-fleet-start/);
    expect(world.log.lines).toContainEqual(
      expect.objectContaining({ event: 'compute.ec2.rollback_failed', error: 'the table is gone' }),
    );
  });

  it('a type that AWS has no machines of: the task waits, and says why', async () => {
    const world = await createWorld({
      machines: 0,
      groups: [{ name: 'octo-group', max: 2, desired: 0 }],
    });
    const group = world.simulator.groups.get('octo-group');
    if (group) group.outOfCapacity = true;
    const wanted = spec();
    await soon(async () => {
      const answer = await world.compute.start(wanted);
      expect(answer).toMatchObject({
        kind: 'no-capacity',
        reason: expect.stringContaining('sufficient capacity'),
      });
    });
    if (group) group.outOfCapacity = false;
    world.simulator.scaling.settle();
    await soon(async () => expect((await world.compute.start(wanted)).kind).toBe('started'));
  });
});

describe('a start whose answer is lost', () => {
  it('is resolved by listing commands, and nothing is sent twice (E4)', async () => {
    const world = await createWorld();
    let lost = 0;
    world.simulator.modes.loseAnswer = (action) => action === 'SendCommand' && lost++ === 0;
    const wanted = spec();
    const session = sessionIn(await world.compute.start(wanted));
    expect(starts(world)).toHaveLength(1);
    expect(session.ref).toMatchObject({ command_id: starts(world)[0]?.id });
  });

  it('keeps its machine when nothing can be told, and goes on there at the next try', async () => {
    const world = await createWorld({ machines: 2, limits: { lostAnswerMs: 100 } });
    const broken = new Set(['SendCommand', 'ListCommands']);
    world.simulator.modes.loseAnswer = (action) => broken.has(action);
    const wanted = spec();
    await expect(world.compute.start(wanted)).rejects.toMatchObject({ code: 'COMPUTE_UNAVAILABLE' });
    const [claimed] = await world.instances.sessions('octo');
    expect(claimed?.released).toBe(false);
    world.simulator.modes.loseAnswer = () => false;
    expect(sessionIn(await world.compute.start(wanted)).ref).toMatchObject({
      instance_id: claimed?.instanceId,
    });
    // Sent twice to the same machine, and begun there once.
    await soon(() => expect(world.platform.asked.get(wanted.taskId)).toHaveLength(1));
  });

  it('is repeated when it was throttled', async () => {
    const world = await createWorld();
    let throttled = 0;
    world.simulator.modes.throttle = (action) => action === 'SendCommand' && throttled++ < 2;
    sessionIn(await world.compute.start(spec()));
    expect(starts(world)).toHaveLength(1);
  });

  it('goes to another machine when Systems Manager does not reach the first', async () => {
    const world = await createWorld({ machines: 2 });
    const [bad, good] = world.simulator.instances.values();
    if (bad) bad.online = false;
    for (let tries = 0; tries < 2; tries += 1) {
      const answer = await world.compute.start(spec());
      if (answer.kind === 'started') expect(answer.session.ref).toMatchObject({ instance_id: good?.id });
    }
    expect(starts(world)).toHaveLength(1);
  });
});

describe('a command that comes late, twice or not at all', () => {
  it('is refused after its task has ended', async () => {
    const world = await createWorld();
    const { promise: arrives, resolve: arrive } = Promise.withResolvers<void>();
    world.simulator.modes.deliver = ({ document }) => (document === 'start' ? arrives : Promise.resolve());
    const wanted = spec();
    const session = sessionIn(await world.compute.start(wanted));
    await world.compute.stop(session, { graceMs: 0 });
    world.platform.refused.add(wanted.taskId);
    // The machine has another session by then.
    world.simulator.modes.deliver = () => Promise.resolve();
    const other = spec();
    sessionIn(await world.compute.start(other));
    await soon(() => expect(world.platform.asked.get(other.taskId)).toHaveLength(1));
    arrive();
    await soon(() =>
      expect(starts(world)[0]?.state.now).toMatchObject({
        status: expect.stringMatching(/Failed|Cancelled/),
      }),
    );
    expect(await world.compute.describe({ type: 'ec2', id: `${other.taskId}-1`, ref: null })).toEqual({
      kind: 'running',
    });
  });

  it('begins one session though it is delivered three times', async () => {
    const world = await createWorld();
    world.simulator.modes.deliveries = 3;
    const wanted = spec();
    sessionIn(await world.compute.start(wanted));
    await soon(() => expect(world.platform.asked.get(wanted.taskId)).toHaveLength(1));
  });

  it('is no proof of an end when its script was killed: the container lives on (E5)', async () => {
    const world = await createWorld();
    const session = sessionIn(await world.compute.start(spec()));
    await soon(() => expect(world.platform.asked.size).toBe(1));
    world.simulator.commands.killScript(starts(world)[0]?.id ?? '');
    await soon(() =>
      expect(world.log.lines).toContainEqual(expect.objectContaining({ event: 'compute.ec2.command_lost' })),
    );
    expect(await world.compute.describe(session, { fresh: true })).toEqual({ kind: 'running' });
    await world.compute.stop(session, { graceMs: 0 });
    await world.idle(1);
  });

  it('gives its machine back when its claim has expired, once that is proven free (K2)', async () => {
    const world = await createWorld();
    world.simulator.modes.deliver = ({ document }) =>
      document === 'start' ? new Promise(() => undefined) : Promise.resolve();
    const session = sessionIn(await world.compute.start(spec({ deadlineAtMs: Date.now() - 3_600_000 })));
    await world.idle(1);
    expect(world.ended).toEqual([session.id]);
    expect(world.simulator.commands.all().map(({ document }) => document)).toContain('stop');
  });

  it('leaves the claim to the stop, which takes the machine back', async () => {
    const world = await createWorld();
    world.simulator.modes.deliver = ({ document }) =>
      document === 'start' ? new Promise(() => undefined) : Promise.resolve();
    const session = sessionIn(await world.compute.start(spec()));
    await world.compute.stop(session, { graceMs: 0 });
    await world.idle(1);
    await world.compute.cleanUp(session);
    expect(await world.compute.list()).toEqual([]);
  });
});

describe('a machine that is lost', () => {
  it('ends its session, and is replaced', async () => {
    const world = await createWorld();
    const wanted = spec();
    const session = sessionIn(await world.compute.start(wanted));
    const [first] = world.simulator.instances.keys();
    await world.simulator.scaling.die(first ?? '');
    await soon(async () =>
      expect(await world.compute.describe(session)).toMatchObject({
        kind: 'exited',
        reason: expect.stringContaining('is gone'),
      }),
    );
    expect(world.ended).toEqual([session.id]);
    await world.idle(1);
    await world.compute.stop(session, { graceMs: 0 });
  });

  it('says so when AWS took it back', async () => {
    const world = await createWorld();
    const session = sessionIn(await world.compute.start(spec()));
    const [first] = world.simulator.instances.keys();
    await world.simulator.scaling.die(first ?? '', { interrupted: true });
    await soon(async () => expect((await world.compute.describe(session)).kind).toBe('interrupted'));
  });

  it('is left in time when an event says that AWS takes it back (E13)', async () => {
    const world = await createWorld();
    const session = sessionIn(await world.compute.start(spec()));
    const [first] = world.simulator.instances.keys();
    await Promise.all([world.compute.takeBack(first ?? ''), world.compute.takeBack(first ?? '')]);
    expect(await world.compute.describe(session)).toMatchObject({ kind: 'interrupted' });
    expect(world.ended).toEqual([session.id]);
    // Machines may be used again, but not this one.
    await soon(() => expect(world.simulator.ended).toEqual([first]));
    await world.idle(1);
    const [idle] = await world.instances.idle('octo', POOL);
    await world.compute.takeBack(idle ?? '');
    expect(await world.instances.idle('octo', POOL)).toEqual([]);
  });

  it('is looked at once for all the events that come at once', async () => {
    const world = await createWorld();
    await world.compute.start(spec());
    const before = world.simulator.calls.get('DescribeAutoScalingGroups') ?? 0;
    await Promise.all(Array.from({ length: 20 }, () => world.compute.sweep()));
    const after = world.simulator.calls.get('DescribeAutoScalingGroups') ?? 0;
    expect(after - before).toBeLessThan(10);
  });

  it('is ended when it can’t be told to stop its session', async () => {
    const world = await createWorld();
    const session = sessionIn(await world.compute.start(spec()));
    const [first] = world.simulator.instances.values();
    if (first) first.online = false;
    await world.compute.stop(session, { graceMs: 0 });
    expect(world.simulator.ended).toEqual([first?.id]);
    expect(first?.state.now).toBe('terminated');
    expect((await world.compute.describe(session)).kind).toBe('exited');
    await world.idle(1);
  });
});

describe('a machine that boots (E9)', () => {
  it.each([
    ['docker', 'docker'],
    ['image', 'image'],
    ['disk', 'disk'],
    ['hangs', 'boot-check'],
    ['offline', 'ssm'],
  ] as const)('is replaced when it fails (%s), and is never claimed', async (boot, phase) => {
    const world = await createWorld({
      machines: 0,
      groups: [{ name: 'octo-group', max: 1, desired: 0 }],
      limits: { bootMs: boot === 'hangs' || boot === 'offline' ? 2_000 : 60_000 },
    });
    world.simulator.modes.boot = boot;
    const wanted = spec();
    expect((await world.compute.start(wanted)).kind).toBe('no-capacity');
    await soon(() =>
      expect(world.log.lines).toContainEqual(
        expect.objectContaining({
          event: 'compute.ec2.boot_failed',
          phase,
          console_tail: expect.stringContaining('while it booted'),
        }),
      ),
    );
    world.simulator.modes.boot = undefined;
    await soon(async () => expect((await world.compute.start(wanted)).kind).toBe('started'));
    expect(starts(world)).toHaveLength(1);
  });

  it('is checked for its GPU', async () => {
    const world = await createWorld({
      machines: 0,
      groups: [{ name: 'octo-group', max: 1, desired: 0, gpu: true }],
    });
    world.simulator.modes.boot = 'gpu';
    await world.compute.start(spec());
    await soon(() =>
      expect(world.log.lines).toContainEqual(
        expect.objectContaining({ event: 'compute.ec2.boot_failed', phase: 'gpu' }),
      ),
    );
  });
});

describe('the size of the fleet (E10, E11, E12)', () => {
  it('goes to what is wanted and back to nothing, and no busy machine is ended', async () => {
    const world = await createWorld({
      machines: 0,
      groups: [{ name: 'octo-group', max: 3, desired: 0 }],
      limits: { idleMs: 100 },
    });
    const wanted = [spec(), spec(), spec()];
    for (const each of wanted) await world.compute.start(each);
    await soon(async () => {
      for (const each of wanted) sessionIn(await world.compute.start(each));
    });
    expect(world.simulator.groups.get('octo-group')?.desired).toBe(3);
    const [kept, ...others] = wanted;
    for (const { taskId } of others)
      await world.compute.stop({ type: 'ec2', id: `${taskId}-1`, ref: null }, { graceMs: 0 });
    await soon(() => expect(world.simulator.groups.get('octo-group')?.desired).toBe(1));
    const session = { type: 'ec2', id: `${kept?.taskId}-1`, ref: null };
    const busy = (await world.instances.session(session.id))?.instanceId;
    expect(world.simulator.ended).not.toContain(busy);
    await world.compute.stop(session, { graceMs: 0 });
    await soon(() => expect(world.simulator.groups.get('octo-group')?.desired).toBe(0));
  });

  it('gives each session a fresh machine unless machines may be used again', async () => {
    const world = await createWorld({ limits: { reuse: false } });
    const first = sessionIn(await world.compute.start(spec()));
    await world.compute.stop(first, { graceMs: 0 });
    await soon(() => expect(world.simulator.ended).toHaveLength(1));
    await world.idle(1);
    const second = sessionIn(await world.compute.start(spec()));
    expect(second.ref).not.toMatchObject({ instance_id: world.simulator.ended[0] });
  });

  it('forgets who waited when they wait no more', async () => {
    const world = await createWorld({ machines: 0, groups: [{ name: 'octo-group', max: 1, desired: 0 }] });
    const wanted = spec();
    await world.compute.start(wanted);
    const [waiting] = await world.compute.list();
    expect(waiting?.id).toBe(`${wanted.taskId}-1`);
    if (waiting) await world.compute.stop(waiting, { graceMs: 0 });
    if (waiting) await world.compute.cleanUp(waiting);
    expect(await world.instances.wishes('octo')).toEqual([]);
  });
});

describe('reads that lag behind, and clocks that are wrong', () => {
  it('do no harm', async () => {
    const world = await createWorld({ clockSkewS: -3_000 });
    world.simulator.modes.readDelayMs = 1_500;
    const session = sessionIn(await world.compute.start(spec()));
    await world.compute.stop(session, { graceMs: 0 });
    await world.idle(1);
    sessionIn(await world.compute.start(spec()));
  });
});
