import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CreateQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { bundleRunner } from '../../scripts/bundle-runner.ts';
import { defaultSettings, type Settings } from '../../src/config/settings.ts';
import { type Platform, startPlatform } from '../../src/entry/server.ts';
import type { TaskEvent } from '../../src/task/events.ts';
import type { Task } from '../../src/task/task.ts';
import { call } from '../e2e/platform.ts';
import { createFakeAgentCore, type FakeAgentCore } from '../fakes/agentcore.ts';
import { createAwsFront } from '../fakes/aws-front.ts';
import { createFakeEcs, type FakeEcs } from '../fakes/ecs.ts';
import { createFakeS3, type FakeS3 } from '../fakes/s3.ts';
import { RUNTIME_ARN } from '../fixtures/agentcore.ts';
import { recordingLog, testCredentials } from '../fixtures/ec2-fleet.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { createImageRoot, imageRootMissing } from '../fixtures/image-root.ts';
import { clientConfig, describeOn, moto, uniqueName } from './harness.ts';

/** The whole path on simulated ECS and AgentCore: real platform, the runner's image (without an engine), real git. */

const missing = imageRootMissing();
if (missing !== undefined) process.stdout.write(`skipped: tasks on ECS and AgentCore: ${missing}\n`);

let built: string;
beforeAll(async () => {
  testCredentials();
  built = await mkdtemp(join(tmpdir(), 'bgagent-bundle-'));
  await bundleRunner(built);
});
afterAll(() => rm(built, { recursive: true, force: true }));

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World {
  ecs: FakeEcs;
  agentCore: FakeAgentCore;
  s3: FakeS3;
  platform: Platform;
  repo: string;
  submit(): Promise<string>;
  until(id: string, holds: (task: Task) => boolean): Promise<Task>;
  /** Waits until the agent has printed something. */
  atWork(id: string): Promise<void>;
  events(id: string): Promise<string[]>;
}

async function createWorld(
  computeType: 'ecs' | 'agentcore',
  agentCommand: string,
  settings: Partial<Settings> = {},
  /** What EventBridge does with an event, and where its queue is. */
  { onEvent, sqs }: { onEvent?(event: unknown): unknown; sqs?: { url: string } } = {},
): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-remote-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const repo = bareRepo(folder);
  const image = await createImageRoot({ built, folder });
  const run = (environment: Record<string, string>) => image.run({ environment, mounts: [repo] });
  const common = { folder, capacity: 10, environment: { PATH: process.env.PATH ?? '' } };
  const s3 = await createFakeS3();
  const ecs = await createFakeEcs({
    ...common,
    command: run,
    mainProcess: image.mainProcess,
    stopTimeoutMs: 45_000,
    onEvent: (event) => void onEvent?.(event),
  });
  const agentCore = await createFakeAgentCore({
    ...common,
    command: ({ PATH: _, ...environment }) => run(environment),
  });
  const front = await createAwsFront({ s3, ecs, agentCore, ...(sqs ? { sqs } : {}) });
  closers.push(
    () => s3.close(),
    () => ecs.close(),
    () => agentCore.close(),
    () => front.close(),
  );
  const platform = await startPlatform({
    dataDir: join(folder, 'data'),
    settings: {
      ...defaultSettings(),
      port: 0,
      heartbeat_interval_s: 0.5,
      aws_endpoint_url: front.url,
      payload_bucket: 'octo-payloads',
      ecs_cluster: 'octo',
      ecs_subnets: ['subnet-1'],
      ecs_poll_s: 1,
      agentcore_runtime_arn: RUNTIME_ARN,
      ...settings,
    },
    runnerEnvironment: { PATH: process.env.PATH ?? '', HOME: folder },
    environmentSecrets: {},
    log: recordingLog(),
  });
  closers.push(() => platform.close());
  const { status } = await call(platform, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, {
    compute_type: computeType,
    agent: 'command',
    agent_command: agentCommand,
  });
  expect(status).toBeLessThan(300);
  const events = async (id: string) =>
    (await call<TaskEvent[]>(platform, 'GET', `/v1/tasks/${id}/events?limit=100`)).data.map(
      (event) => event.event_type,
    );
  const world: World = {
    ecs,
    agentCore,
    s3,
    platform,
    repo,
    events,
    submit: async () =>
      (await call<Task>(platform, 'POST', '/v1/tasks', { repo, task_description: 'Say hello' })).data.task_id,
    until: (id, holds) =>
      vi.waitFor(
        async () => {
          const { data } = await call<Task>(platform, 'GET', `/v1/tasks/${id}`);
          if (!holds(data))
            throw new Error(`${data.status}: ${data.error_message ?? data.waiting_for ?? ''}`);
          return data;
        },
        { timeout: 120_000, interval: 100 },
      ),
    async atWork(id) {
      const task = await world.until(id, (now) => now.status === 'RUNNING' || over(now));
      while (!(await events(id)).includes('agent_output')) {
        const { data } = await call<Task>(platform, 'GET', `/v1/tasks/${task.task_id}`);
        if (over(data)) throw new Error(`it ended as ${data.status}: ${data.error_message}`);
        await delay(50);
      }
    },
  };
  return world;
}

const over = ({ status }: Task): boolean =>
  ['COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(status);
const show = (world: World, task: Task, file: string) => git(world.repo, 'show', `${task.head_sha}:${file}`);
const untilNone = (count: () => number) =>
  vi.waitFor(() => expect(count()).toBe(0), { timeout: 60_000, interval: 50 });

describe.skipIf(missing !== undefined).each(['ecs', 'agentcore'] as const)('a task on %s', (type) => {
  const processes = ({ ecs, agentCore }: World) => [
    ...ecs.tasks.map(({ tree }) => tree),
    ...[...agentCore.sessions.values()].flat().map(({ tree }) => tree),
  ];
  const living = (world: World) => processes(world).reduce((sum, tree) => sum + tree.observe().length, 0);

  it('runs as another user in the image, pushes, and leaves nothing', async () => {
    const world = await createWorld(
      type,
      'id -u > who.txt; env > env.txt; cat /proc/1/environ > out.txt || true',
    );
    const id = await world.submit();
    const task = await world.until(id, over);
    expect({ status: task.status, error: task.error_message }).toEqual({ status: 'COMPLETED', error: null });
    expect(show(world, task, 'who.txt')).toBe('10001');
    expect(show(world, task, 'env.txt')).not.toContain('BGAGENT_BOOTSTRAP_URL');
    expect(show(world, task, 'out.txt')).toBe('');
    expect(type === 'ecs' ? world.ecs.tasks : [...world.agentCore.sessions]).toHaveLength(1);
    await untilNone(() => world.s3.objects.size);
    await untilNone(() => living(world));
  });

  it('is cancelled: its agent dies at once, and what there is gets pushed', async () => {
    const world = await createWorld(type, 'echo begun > begun.txt; echo ready; sleep 600');
    const id = await world.submit();
    await world.atWork(id);
    await call(world.platform, 'DELETE', `/v1/tasks/${id}`);
    const task = await world.until(id, over);
    expect(task).toMatchObject({ status: 'CANCELLED', partial: true });
    expect(show(world, task, 'begun.txt')).toBe('begun');
    await untilNone(() => world.s3.objects.size);
    expect(living(world)).toBe(0);
  });
});

describe.skipIf(missing !== undefined)('a task on Fargate', () => {
  it('goes on, on-demand, when Spot takes its capacity back', async () => {
    const world = await createWorld(
      'ecs',
      'if [ -e first.txt ]; then echo second > second.txt; else echo first > first.txt; echo ready; sleep 600; fi',
      { ecs_capacity: 'spot-then-on-demand' },
    );
    const id = await world.submit();
    await world.atWork(id);
    const [spot] = world.ecs.tasks;
    expect(spot?.capacityProvider).toBe('FARGATE_SPOT');
    world.ecs.interrupt(spot?.arn ?? '');
    const task = await world.until(id, over);
    expect({ status: task.status, error: task.error_message, attempt: task.attempt }).toEqual({
      status: 'COMPLETED',
      error: null,
      attempt: 2,
    });
    expect(show(world, task, 'second.txt')).toBe('second');
    expect(show(world, task, 'first.txt')).toBe('first');
    expect(world.ecs.tasks.map(({ capacityProvider }) => capacityProvider)).toEqual([
      'FARGATE_SPOT',
      'FARGATE',
    ]);
  });

  it('waits for room, and says why', async () => {
    const world = await createWorld('ecs', 'echo hello > hello.txt');
    world.ecs.capacity = 0;
    const id = await world.submit();
    const waiting = await world.until(id, ({ waiting_for }) => waiting_for !== null);
    expect(waiting.waiting_for).toMatch(/FARGATE: .*Capacity is unavailable/);
    await call(world.platform, 'DELETE', `/v1/tasks/${id}`);
    expect((await world.until(id, over)).status).toBe('CANCELLED');
  });

  it('fails with the permission that is missing (T7)', async () => {
    const world = await createWorld('ecs', 'echo hello > hello.txt');
    world.ecs.next.RunTask = [{ error: 'AccessDeniedException' }];
    const task = await world.until(await world.submit(), over);
    expect(task.status).toBe('FAILED');
    expect(task.error_classification).toMatchObject({
      errorClass: 'COMPUTE_MISCONFIGURED',
      retryable: false,
    });
    expect(task.error_message).toContain('ecs:RunTask');
  });

  it('ends with a clear reason when its runner is killed', async () => {
    const world = await createWorld('ecs', 'echo ready; sleep 600');
    const id = await world.submit();
    await world.atWork(id);
    await world.ecs.tasks[0]?.tree.kill();
    const task = await world.until(id, over);
    expect(task.status).toBe('FAILED');
    expect(task.error_message).toMatch(/ended without a result: .*exit code 137/);
  });
});

describeOn(moto, 'a task on Fargate whose end is an event', () => {
  it.skipIf(missing !== undefined)('ends at once, long before anyone looks', async () => {
    const sqs = new SQSClient({ ...clientConfig(moto), region: 'us-east-1' });
    closers.push(async () => sqs.destroy());
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: uniqueName('events') }));
    const world = await createWorld(
      'ecs',
      'echo ready; sleep 600',
      { ecs_poll_s: 3_600, safety_poll_s: 3_600, heartbeat_stale_s: 3_600, events_queue_url: QueueUrl },
      {
        sqs: { url: moto.endpoint ?? '' },
        onEvent: (event) =>
          sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(event) })),
      },
    );
    const id = await world.submit();
    await world.atWork(id);
    await world.ecs.tasks[0]?.tree.kill();
    const task = await world.until(id, over);
    expect(task.error_message).toMatch(/ended without a result: .*exit code 137/);
  });
});
