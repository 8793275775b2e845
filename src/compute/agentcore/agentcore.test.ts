import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { computeContract } from '../../../test/contracts/compute.contract.ts';
import { type AgentCoreWorld, createAgentCoreWorld } from '../../../test/fixtures/agentcore.ts';
import { aSpec } from '../../../test/fixtures/remote-runner.ts';
import type { SessionSpec } from '../strategy.ts';

const CAPACITY = 2;
const NO_DESCRIPTION = 'AgentCore has no way to ask how a session is: the heartbeat tells';

computeContract('agentcore', () => createAgentCoreWorld({ capacity: CAPACITY }), {
  capacity: CAPACITY,
  skips: [
    {
      reason: NO_DESCRIPTION,
      tests: [
        'does not start a second runner when the first has ended',
        'tells how a session ended, and says so by itself',
      ],
    },
  ],
});

describe('a session on AgentCore', () => {
  let world: AgentCoreWorld;
  beforeEach(async () => {
    world = await createAgentCoreWorld();
  });
  afterEach(() => world.close());

  async function started(spec: SessionSpec, strategy = world.strategy) {
    const answer = await strategy.start(spec);
    if (answer.kind !== 'started') throw new Error(answer.reason);
    return answer.session;
  }
  const runs = (spec: SessionSpec) =>
    vi.waitFor(async () => expect(await world.starts(spec)).toBe(1), { timeout: 20_000 });
  const microVms = ({ taskId }: SessionSpec) => world.agentCore.sessions.get(`bgagent-${taskId}-1`) ?? [];

  it('is named by task and attempt in 33 characters or more, on behalf of a user', async () => {
    const spec = aSpec('wait');
    await started(spec);
    const [id = ''] = world.agentCore.sessions.keys();
    expect(id).toBe(`bgagent-${spec.taskId}-1`);
    expect(id.length).toBeGreaterThanOrEqual(33);
    expect(microVms(spec)[0]?.userId).toBe('bgagent');
  });

  it('is never invoked to find out how it is', async () => {
    const session = await started(aSpec('wait'));
    const before = world.agentCore.calls.length;
    for (const strategy of [world.strategy, world.open()]) {
      expect(await strategy.describe(session)).toEqual({ kind: 'running' });
      await strategy.list();
    }
    expect(world.agentCore.calls).toHaveLength(before);
  });

  it('whose runner has ended is not started again', async () => {
    const spec = aSpec('exit-0');
    await started(spec);
    await runs(spec);
    await started(spec);
    await started(spec, world.open());
    expect(await world.starts(spec)).toBe(1);
    expect(microVms(spec)).toHaveLength(1);
  });

  it('whose start was answered to nobody is found when it is tried again (C2)', async () => {
    const spec = aSpec('wait');
    world.agentCore.next.invoke = ['lost'];
    await expect(world.strategy.start(spec)).rejects.toMatchObject({ code: 'COMPUTE_UNAVAILABLE' });
    await runs(spec);
    await started(spec, world.open());
    expect(await world.starts(spec)).toBe(1);
  });

  it('is not ended for idleness while its runner works, and is afterwards', async () => {
    const [working, done] = [aSpec('wait'), aSpec('exit-0')];
    await started(working);
    await started(done);
    await runs(done);
    const idle = `bgagent-${done.taskId}-1`;
    await vi.waitFor(async () => expect(await world.agentCore.reapIdle()).toEqual([idle]), {
      timeout: 20_000,
    });
    expect(await world.leftovers(working)).toBeGreaterThan(0);
  });

  it('is ended also when its runner can not be asked to push', async () => {
    const spec = aSpec('wait');
    const session = await started(spec);
    world.agentCore.next.invoke = [{ error: 'RuntimeClientError', status: 424 }];
    await world.strategy.stop(session, { graceMs: 5_000 });
    expect(await world.leftovers(spec)).toBe(0);
    expect(world.warnings).toEqual(['compute.agentcore.stop_not_heard']);
  });

  it('that is gone already counts as stopped', async () => {
    const session = await started(aSpec('wait'));
    world.agentCore.next.stop = [{ error: 'ResourceNotFoundException', status: 404 }];
    await world.strategy.stop(session, { graceMs: 5_000 });
    expect((await world.strategy.describe(session)).kind).toBe('exited');
  });

  it.each([
    ['AccessDeniedException', 403, /InvokeAgentRuntime and bedrock-agentcore:InvokeAgentRuntimeForUser/],
    ['ResourceNotFoundException', 404, /named by agentcore_runtime_arn/],
  ])('refused with %s says what to mend, and keeps nothing (T7)', async (error, status, message) => {
    world.agentCore.next.invoke = [{ error, status }];
    await expect(world.strategy.start(aSpec('wait'))).rejects.toMatchObject({
      code: 'COMPUTE_MISCONFIGURED',
      message: expect.stringMatching(message),
    });
    expect(world.s3.objects.size).toBe(0);
  });

  it('of another image says so', async () => {
    world.agentCore.next.invoke = [{ text: '{"response":"Hello, how can I help?"}' }];
    await expect(world.strategy.start(aSpec('wait'))).rejects.toMatchObject({
      message: expect.stringContaining("does not answer as the runner's image"),
    });
  });

  it('may be given seven hours and a half at most', () => {
    expect(world.strategy.capabilities.maxDeadlineS).toBe(27_000);
  });
});
