import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEcsWorld, type EcsWorld } from '../../../test/fixtures/ecs.ts';
import { aSpec } from '../../../test/fixtures/remote-runner.ts';
import type { SessionSpec } from '../strategy.ts';

let world: EcsWorld;
beforeEach(async () => {
  world = await createEcsWorld();
});
afterEach(() => world.close());

async function started(spec: SessionSpec, strategy = world.strategy) {
  const answer = await strategy.start(spec);
  if (answer.kind !== 'started') throw new Error(answer.reason);
  return answer.session;
}

const runs = (spec: SessionSpec) =>
  vi.waitFor(async () => expect(await world.starts(spec)).toBe(1), { timeout: 20_000 });

describe('a start', () => {
  it('names the task by its token, and hands over nothing but an address', async () => {
    const spec = aSpec('wait');
    await started(spec);
    expect(world.ecs.tasks).toHaveLength(1);
    const [task] = world.ecs.tasks;
    expect(task).toMatchObject({
      clientToken: `${spec.taskId}-1`,
      startedBy: `${spec.taskId}-1`,
      capacityProvider: 'FARGATE',
    });
    const [variable] = task?.overrides.containerOverrides[0]?.environment ?? [];
    expect(variable?.name).toBe('BGAGENT_BOOTSTRAP_URL');
    expect(variable?.value).toMatch(
      new RegExp(`/payloads/handover/ecs/${spec.taskId}-1/[0-9a-f]{64}\\.json\\?.*X-Amz-Signature=`),
    );
    expect(JSON.stringify(task?.overrides)).not.toContain('"wait"');
    expect(task?.overrides).not.toHaveProperty('cpu');
  });

  it('gives work that changes nothing less room', async () => {
    await started(aSpec('wait', { readOnly: true }));
    expect(world.ecs.tasks[0]?.overrides).toMatchObject({ cpu: '512', memory: '1024' });
  });

  it('whose answer was lost finds its task when it is tried again (C2)', async () => {
    const spec = aSpec('wait');
    world.ecs.next.RunTask = ['lost'];
    await expect(world.strategy.start(spec)).rejects.toMatchObject({ code: 'COMPUTE_UNAVAILABLE' });
    await runs(spec);
    // By another process even, with another signed address.
    const session = await started(spec, world.open());
    expect(session.ref).toMatchObject({ taskArn: world.ecs.tasks[0]?.arn });
    expect(world.ecs.tasks).toHaveLength(1);
  });

  it('finds its task by name when the conflict does not tell it', async () => {
    const spec = aSpec('wait');
    await started(spec);
    world.ecs.next.RunTask = [{ error: 'ConflictException' }];
    const session = await started(spec, world.open());
    expect(session.ref).toMatchObject({ taskArn: world.ecs.tasks[0]?.arn });
  });

  it.each([
    [
      'the exception of Fargate',
      { error: 'ClientException', message: 'Capacity is unavailable at this time.' },
    ],
    ['a quota', { error: 'ClientException', message: "You've reached the limit on the number of vCPUs" }],
    ['throttling', { error: 'ThrottlingException' }],
    ['a failure in the answer', { body: { tasks: [], failures: [{ reason: 'RESOURCE:CPU' }] } }],
  ])('waits for room when it meets %s, and keeps nothing (C3)', async (_, answer) => {
    const spec = aSpec('wait');
    world.ecs.next.RunTask = [answer];
    expect(await world.strategy.start(spec)).toMatchObject({ kind: 'no-capacity' });
    expect(world.s3.objects.size).toBe(0);
    await started(spec);
  });

  it.each([
    [{ error: 'AccessDeniedException' }, /ecs:RunTask .* on ECS cluster agents is not allowed/],
    [{ error: 'ClusterNotFoundException' }, /there is no ECS cluster agents, named by ecs_cluster/],
    [
      { error: 'InvalidParameterException', message: 'No such subnet subnet-1' },
      /No such subnet subnet-1: check the settings ecs_task_definition, .*ecs_subnets/,
    ],
    [{ body: { tasks: [], failures: [{ reason: 'INACTIVE' }] } }, /INACTIVE: check the settings ecs_cluster/],
  ])('says what to mend when ECS refuses it, and keeps nothing: %j (T7)', async (answer, message) => {
    world.ecs.next.RunTask = [answer];
    await expect(world.strategy.start(aSpec('wait'))).rejects.toMatchObject({
      code: 'COMPUTE_MISCONFIGURED',
      message: expect.stringMatching(message),
    });
    expect(world.s3.objects.size).toBe(0);
  });

  it.each([
    ['denied' as const, /s3:PutObject on bucket payloads is not allowed/],
    ['no-bucket' as const, /there is no bucket payloads, named by payload_bucket/],
  ])('says what to mend when the bucket is %s (T7)', async (mode, message) => {
    world.s3.mode = mode;
    await expect(world.strategy.start(aSpec('wait'))).rejects.toMatchObject({
      code: 'COMPUTE_MISCONFIGURED',
      message: expect.stringMatching(message),
    });
    expect(world.ecs.calls).toEqual([]);
  });
});

it('whose credentials have expired can be tried again, when they are renewed', async () => {
  world.ecs.next.RunTask = [{ error: 'ExpiredTokenException' }];
  await expect(world.strategy.start(aSpec('wait'))).rejects.toMatchObject({
    code: 'COMPUTE_UNAVAILABLE',
    message: expect.stringContaining('missing, expired or wrong'),
  });
  expect(world.s3.objects.size).toBe(0);
});

describe('a session', () => {
  it('that reads do not know yet is running, and is stopped all the same', async () => {
    world.ecs.readDelayMs = 400;
    const spec = aSpec('wait');
    const session = await started(spec);
    expect(await world.open().describe(session)).toEqual({ kind: 'running' });
    await world.strategy.stop(session, { graceMs: 1_000 });
    expect(await world.leftovers(spec)).toBe(0);
    expect(world.ended).toContain(session.id);
  });

  it('is found without its address, as by who clears up (K3)', async () => {
    const spec = aSpec('wait');
    await started(spec);
    const other = world.open();
    const [orphan] = await other.list();
    if (!orphan) throw new Error('nothing was listed');
    expect(orphan).toEqual({ type: 'ecs', id: `${spec.taskId}-1`, ref: null });
    expect(await other.describe(orphan)).toEqual({ kind: 'running' });
    await other.stop(orphan, { graceMs: 1_000 });
    await other.cleanUp(orphan);
    expect(await other.list()).toEqual([]);
    expect(await world.leftovers(spec)).toBe(0);
  });

  it('that ECS has forgotten is missing', async () => {
    const ref = { taskArn: 'arn:aws:ecs:us-east-1:123456789012:task/agents/gone', startedAtMs: 0 };
    const session = { type: 'ecs', id: `${aSpec('').taskId}-1`, ref };
    expect(await world.strategy.describe(session)).toEqual({ kind: 'missing' });
    await world.strategy.stop(session, { graceMs: 0 });
  });

  it('whose backend does not answer is no verdict (O5)', async () => {
    const session = await started(aSpec('wait'));
    const other = world.open({ pollMs: null });
    world.ecs.next.DescribeTasks = [
      { error: 'ServerException', status: 500 },
      { error: 'AccessDeniedException' },
    ];
    await expect(other.describe(session)).rejects.toMatchObject({ code: 'COMPUTE_UNAVAILABLE' });
    await expect(other.describe(session)).rejects.toMatchObject({
      message: expect.stringContaining('ecs:DescribeTasks on ECS cluster agents is not allowed'),
    });
    expect(await other.describe(session)).toEqual({ kind: 'running' });
  });

  it('in a status that is new counts as running, with a warning', async () => {
    const session = await started(aSpec('wait'), world.open({ pollMs: null }));
    const { arn } = world.ecs.tasks[0] ?? {};
    world.ecs.next.DescribeTasks = [{ body: { tasks: [{ taskArn: arn, lastStatus: 'HIBERNATING' }] } }];
    expect(await world.open({ pollMs: null }).describe(session)).toEqual({ kind: 'running' });
    expect(world.warnings).toEqual(['compute.ecs.unknown_state']);
  });
});

describe('descriptions', () => {
  const session = (n: number) => ({
    type: 'ecs',
    id: `01ARZ3NDEKTSV4RRFFQ69G5FAV-${n}`,
    ref: { taskArn: `arn:aws:ecs:us-east-1:123456789012:task/agents/${n}`, startedAtMs: 0 },
  });

  it('that are asked for together share calls of a hundred', async () => {
    const strategy = world.open({ pollMs: null });
    const answers = await Promise.all(Array.from({ length: 250 }, (_, n) => strategy.describe(session(n))));
    expect(answers.every(({ kind }) => kind === 'missing')).toBe(true);
    expect(world.ecs.calls).toEqual(['DescribeTasks', 'DescribeTasks', 'DescribeTasks']);
  });

  it('cost nothing while what was read of all sessions is recent', async () => {
    const strategy = world.open({ pollMs: 3_600_000 });
    const one = await started(aSpec('wait'), strategy);
    await strategy.describe(one);
    const calls = world.ecs.calls.length;
    for (let n = 0; n < 20; n += 1) expect(await strategy.describe(one)).toEqual({ kind: 'running' });
    expect(world.ecs.calls).toHaveLength(calls);
  });
});
