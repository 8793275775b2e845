import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ECSClient } from '@aws-sdk/client-ecs';
import { createProcessTree, type ProcessTree, signalProcess } from '../../src/processes/process-tree.ts';

/**
 * Amazon ECS with Fargate, as far as sessions use it: its tasks are real processes, started with the environment that the
 * overrides name, stopped by SIGTERM and, after `stopTimeoutMs`, by SIGKILL to all they have started.
 */
export interface FakeEcs {
  url: string;
  client(): Promise<ECSClient>;
  /** Names of the calls so far. */
  readonly calls: readonly string[];
  readonly tasks: readonly FakeTask[];
  /** Tasks at once; a call beyond that fails for want of capacity. */
  capacity: number;
  /** Answers to the next calls of a name, in order; the call isn't carried out, unless its answer is `lost`. */
  next: Partial<Record<string, Answer[]>>;
  /** How long after its start a task is unknown to reads, in milliseconds. */
  readDelayMs: number;
  /** Takes the capacity of a task back, as Fargate Spot does. */
  interrupt(arn: string): void;
  close(): Promise<void>;
}

/** `lost`: it's done, and nobody hears of it. */
type Answer = 'lost' | { error: string; message?: string; status?: number } | { body: unknown };

export interface FakeTask {
  arn: string;
  startedBy: string;
  clientToken: string;
  capacityProvider: string;
  overrides: RunTaskRequest['overrides'];
  lastStatus: string;
  exitCode: number | null;
  /** As EventBridge would tell of it. */
  stopCode: string | null;
  stoppedReason: string | null;
  startedAtMs: number;
  /** What runs in its container. */
  tree: ProcessTree;
}

export interface FakeEcsOptions {
  /** Each task gets a folder of its own below, which is where it starts. */
  folder: string;
  capacity: number;
  /** Program and arguments of the runner's container. */
  command(environment: Record<string, string>): readonly [string, ...string[]];
  /** The environment of the image. */
  environment: Record<string, string>;
  stopTimeoutMs: number;
  /** The process that SIGTERM goes to; default: the one that was started. */
  mainProcess?(child: ChildProcess): number | undefined;
  /** Called with the event that EventBridge would deliver when a task has ended. */
  onEvent?(event: Record<string, unknown>): void;
}

interface RunTaskRequest {
  cluster: string;
  clientToken: string;
  startedBy: string;
  launchType?: string;
  capacityProviderStrategy?: { capacityProvider: string }[];
  overrides: {
    cpu?: string;
    memory?: string;
    containerOverrides: { name: string; environment: { name: string; value: string }[] }[];
  };
}

export async function createFakeEcs(options: FakeEcsOptions): Promise<FakeEcs> {
  const tasks: FakeTask[] = [];
  const children = new Map<string, ChildProcess>();
  const requests = new Map<string, string>();
  const calls: string[] = [];
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const ecs = new ECSClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const name = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
    calls.push(name);
    const planned = fake.next[name]?.shift();
    if (typeof planned === 'object' && 'body' in planned) return send(response, 200, planned.body);
    if (typeof planned === 'object')
      return send(response, planned.status ?? 400, {
        __type: planned.error,
        message: planned.message ?? planned.error,
      });
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const [status, result] = carryOut(name, body);
    if (planned === 'lost') return void request.socket.destroy();
    send(response, status, result);
  }

  function carryOut(name: string, body: unknown): [number, unknown] {
    if (name === 'RunTask') return runTask(body as RunTaskRequest);
    if (name === 'DescribeTasks') return describeTasks(body as { tasks: string[] });
    if (name === 'StopTask') return stopTask(body as { task: string });
    if (name === 'ListTasks') return listTasks(body as { startedBy: string; desiredStatus: string });
    return [400, { __type: 'InvalidAction', message: name }];
  }

  function runTask(request: RunTaskRequest): [number, unknown] {
    const before = tasks.find(({ clientToken }) => clientToken === request.clientToken);
    const text = JSON.stringify(request);
    if (before && requests.get(before.arn) === text) return [200, { tasks: [shown(before)], failures: [] }];
    if (before)
      return [400, { __type: 'ConflictException', message: 'token in use', resourceIds: [before.arn] }];
    if (tasks.filter(({ lastStatus }) => lastStatus !== 'STOPPED').length >= fake.capacity)
      return [
        400,
        {
          __type: 'ClientException',
          message: 'Capacity is unavailable at this time. Please try again later',
        },
      ];
    const [container] = request.overrides.containerOverrides;
    const environment = Object.fromEntries(container?.environment.map((v) => [v.name, v.value]) ?? []);
    const id = randomUUID().replaceAll('-', '');
    const cwd = join(options.folder, id);
    mkdirSync(cwd);
    const task: FakeTask = {
      arn: `arn:aws:ecs:us-east-1:123456789012:task/${request.cluster}/${id}`,
      startedBy: request.startedBy,
      clientToken: request.clientToken,
      capacityProvider: request.capacityProviderStrategy?.[0]?.capacityProvider ?? request.launchType ?? '',
      overrides: request.overrides,
      lastStatus: 'RUNNING',
      exitCode: null,
      stopCode: null,
      stoppedReason: null,
      startedAtMs: Date.now(),
      tree: createProcessTree({ marker: `FAKE_ECS_TASK=${id}`, folders: [cwd] }),
    };
    const [program, ...args] = options.command(environment);
    const child = spawn(program, args, {
      cwd,
      env: { ...options.environment, ...environment, FAKE_ECS_TASK: id },
      stdio: 'ignore',
      detached: true,
    });
    if (child.pid !== undefined) task.tree.add(child.pid);
    child.once('exit', (code, signal) => void over(task, code ?? (signal === 'SIGKILL' ? 137 : 143)));
    tasks.push(task);
    requests.set(task.arn, text);
    children.set(task.arn, child);
    return [200, { tasks: [shown({ ...task, lastStatus: 'PROVISIONING' })], failures: [] }];
  }

  async function over(task: FakeTask, exitCode: number): Promise<void> {
    // A container: everything in it ends with it.
    await task.tree.kill();
    Object.assign(task, {
      lastStatus: 'STOPPED',
      exitCode,
      stopCode: task.stopCode ?? 'EssentialContainerExited',
      stoppedReason: task.stoppedReason ?? 'Essential container in task exited',
    });
    options.onEvent?.({
      version: '0',
      id: randomUUID(),
      'detail-type': 'ECS Task State Change',
      source: 'aws.ecs',
      detail: { ...shown(task), clusterArn: task.arn.replace(':task/', ':cluster/').replace(/\/[^/]+$/, '') },
    });
  }

  function describeTasks({ tasks: arns }: { tasks: string[] }): [number, unknown] {
    if (arns.length > 100)
      return [400, { __type: 'InvalidParameterException', message: 'at most 100 tasks' }];
    const known = arns.flatMap((arn) => visible().find((task) => task.arn === arn) ?? []);
    const failures = arns
      .filter((arn) => !known.some((task) => task.arn === arn))
      .map((arn) => ({ arn, reason: 'MISSING' }));
    return [200, { tasks: known.map(shown), failures }];
  }

  const visible = () => tasks.filter(({ startedAtMs }) => Date.now() >= startedAtMs + fake.readDelayMs);

  function stopTask({ task: arn }: { task: string }): [number, unknown] {
    const task = visible().find((candidate) => candidate.arn === arn);
    const child = children.get(arn);
    if (!task || !child)
      return [400, { __type: 'InvalidParameterException', message: 'The referenced task was not found.' }];
    end(task, child, { stopCode: 'UserInitiated', stoppedReason: 'stopped by bgagent' });
    return [200, { task: shown(task) }];
  }

  function end(task: FakeTask, child: ChildProcess, why: { stopCode: string; stoppedReason: string }): void {
    if (task.lastStatus !== 'STOPPED' && task.stopCode === null) {
      Object.assign(task, why);
      const main = options.mainProcess?.(child) ?? child.pid;
      if (main !== undefined) signalProcess(main, 'SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), options.stopTimeoutMs).unref();
    }
  }

  function listTasks({
    startedBy,
    desiredStatus,
  }: {
    startedBy: string;
    desiredStatus: string;
  }): [number, unknown] {
    const taskArns = visible()
      .filter((task) => task.startedBy === startedBy)
      .filter(({ lastStatus }) => (lastStatus === 'STOPPED') === (desiredStatus === 'STOPPED'))
      .map(({ arn }) => arn);
    return [200, { taskArns }];
  }

  const fake: FakeEcs = {
    url: `http://127.0.0.1:${port}`,
    client: async () => ecs,
    calls,
    tasks,
    capacity: options.capacity,
    next: {},
    readDelayMs: 0,
    interrupt(arn) {
      const task = tasks.find((candidate) => candidate.arn === arn);
      const child = children.get(arn);
      if (!task || !child) throw new Error(`no task ${arn}`);
      end(task, child, { stopCode: 'SpotInterruption', stoppedReason: 'Your Spot Task was interrupted.' });
    },
    async close() {
      for (const child of children.values()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }
      for (const { tree } of tasks) await tree.kill();
      ecs.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

function shown(task: FakeTask): Record<string, unknown> {
  return {
    taskArn: task.arn,
    startedBy: task.startedBy,
    lastStatus: task.lastStatus,
    desiredStatus: task.lastStatus === 'STOPPED' ? 'STOPPED' : 'RUNNING',
    ...(task.stopCode === null ? {} : { stopCode: task.stopCode, stoppedReason: task.stoppedReason }),
    containers: [
      {
        name: 'runner',
        lastStatus: task.lastStatus,
        ...(task.exitCode === null ? {} : { exitCode: task.exitCode }),
      },
    ],
  };
}

const send = (response: ServerResponse, status: number, body: unknown): void =>
  void response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
