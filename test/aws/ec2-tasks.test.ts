import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { bundleRunner } from '../../scripts/bundle-runner.ts';
import type { Settings } from '../../src/config/settings.ts';
import { defaultSettings } from '../../src/config/settings.ts';
import { type Platform, startPlatform } from '../../src/entry/server.ts';
import { createProcessTree } from '../../src/processes/process-tree.ts';
import type { TaskEvent } from '../../src/task/events.ts';
import type { Task } from '../../src/task/task.ts';
import { call } from '../e2e/platform.ts';
import {
  createFleetSimulator,
  type FleetSimulator,
  type SimulatorOptions,
} from '../fakes/fleet/simulator.ts';
import { recordingLog, testCredentials } from '../fixtures/ec2-fleet.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';

/** The whole path on a simulated fleet: real platform, real programs of an instance, real bundled runner, real git. */

let bundle: string;
let runner: string;
beforeAll(async () => {
  testCredentials();
  bundle = await mkdtemp(join(tmpdir(), 'bgagent-bundle-'));
  runner = await bundleRunner(bundle);
});
afterAll(() => rm(bundle, { recursive: true, force: true }));

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World {
  simulator: FleetSimulator;
  platform: Platform;
  repo: string;
  log: ReturnType<typeof recordingLog>;
  submit(): Promise<string>;
  until(id: string, holds: (task: Task) => boolean): Promise<Task>;
  events(id: string): Promise<string[]>;
  agentsOf(id: string): number;
}

async function createWorld(
  agentCommand: string,
  {
    settings = {},
    groups = [{ name: 'octo-group', max: 2 }],
    pools = { 't4g.large/on-demand': 'octo-group' },
    ...simulated
  }: Partial<Omit<SimulatorOptions, 'runner'>> & {
    settings?: Partial<Settings>;
    pools?: Record<string, string>;
  } = {},
): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-ec2-tasks-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const repo = bareRepo(folder);
  const simulator = await createFleetSimulator({ groups, runner: [process.execPath, runner], ...simulated });
  closers.push(() => simulator.close());
  const log = recordingLog();
  const platform = await startPlatform({
    dataDir: join(folder, 'data'),
    settings: {
      ...defaultSettings(),
      port: 0,
      sandbox: 'off',
      heartbeat_interval_s: 0.5,
      aws_region: 'eu-central-1',
      aws_endpoint_url: simulator.endpoint,
      payload_bucket: 'octo-payloads',
      ec2_groups: pools,
      ec2_fleet: 'octo',
      ec2_document_prefix: 'octo-fleet',
      ec2_sweep_s: 0.1,
      ec2_watch_s: 0.2,
      ...settings,
    },
    runnerEnvironment: { PATH: process.env.PATH ?? '', HOME: folder },
    environmentSecrets: {},
    log,
  });
  closers.push(() => platform.close());
  const settingsOfRepo = { compute_type: 'ec2', agent: 'command', agent_command: agentCommand };
  const { status } = await call(platform, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, settingsOfRepo);
  expect(status).toBeLessThan(300);
  return {
    simulator,
    platform,
    repo,
    log,
    submit: async () =>
      (await call<Task>(platform, 'POST', '/v1/tasks', { repo, task_description: 'Say hello' })).data.task_id,
    until: (id, holds) =>
      vi.waitFor(
        async () => {
          const { data } = await call<Task>(platform, 'GET', `/v1/tasks/${id}`);
          if (!holds(data))
            throw new Error(`${data.status}: ${data.error_message ?? ''} ${data.waiting_for ?? ''}`);
          return data;
        },
        { timeout: 90_000, interval: 100 },
      ),
    events: async (id) =>
      (await call<TaskEvent[]>(platform, 'GET', `/v1/tasks/${id}/events?limit=100`)).data.map(
        (event) => event.event_type,
      ),
    agentsOf: (id) => createProcessTree({ marker: `BGAGENT_TASK_ID=${id}`, folders: [] }).observe().length,
  };
}

const completed = ({ status }: Task): boolean => status === 'COMPLETED';
const untilNone = (count: () => number) =>
  vi.waitFor(() => expect(count()).toBe(0), { timeout: 30_000, interval: 50 });

describe('a repository on the fleet', () => {
  it('has an instance type of the fleet, or none (E3)', async () => {
    const { platform, repo } = await createWorld('true');
    const put = (instance_type: string) =>
      call(platform, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, { instance_type });
    expect((await put('t4g.large')).status).toBe(200);
    expect(await put('g5.xlarge')).toMatchObject({
      status: 400,
      error: { code: 'VALIDATION_ERROR', message: expect.stringMatching(/instance_type.*t4g\.large/) },
    });
  });
});

describe('a task on the fleet', () => {
  it('waits for a machine, runs on it, pushes, and leaves nothing', async () => {
    const world = await createWorld('echo hello > hello.txt');
    const id = await world.submit();
    const waiting = await world.until(id, (task) => task.waiting_for !== null || completed(task));
    if (!completed(waiting)) expect(waiting.waiting_for).toMatch(/no idle machine of t4g\.large\/on-demand/);
    const task = await world.until(id, completed);
    expect(git(world.repo, 'show', `${task.head_sha}:hello.txt`)).toBe('hello');
    expect(await world.events(id)).toEqual(
      expect.arrayContaining(['capacity_waiting', 'session_started', 'branch_pushed', 'task_completed']),
    );
    // One session a machine: it is ended afterwards, its payload too.
    await vi.waitFor(() => expect(world.simulator.ended).toHaveLength(1), { timeout: 30_000 });
    await vi.waitFor(() => expect(world.simulator.objects.size).toBe(0), { timeout: 30_000 });
  });

  it('is cancelled on its machine, though the script that started it was killed (E8)', async () => {
    const world = await createWorld('echo begun > begun.txt; sleep 600', { settings: { ec2_reuse: true } });
    const id = await world.submit();
    await world.until(id, ({ status }) => status === 'RUNNING');
    await vi.waitFor(() => expect(world.agentsOf(id)).toBeGreaterThan(0), { timeout: 30_000 });
    const command = world.simulator.commands.all().find(({ document }) => document === 'start');
    world.simulator.commands.killScript(command?.id ?? '');
    await vi.waitFor(() => expect(command?.state.now.status).toBe('Failed'), { timeout: 30_000 });
    expect(world.agentsOf(id)).toBeGreaterThan(0);
    await call(world.platform, 'DELETE', `/v1/tasks/${id}`);
    const task = await world.until(id, ({ status }) => status === 'CANCELLED' || status === 'FAILED');
    expect(task.status).toBe('CANCELLED');
    await untilNone(() => world.agentsOf(id));
  });

  it('goes on, on-demand, when AWS takes its Spot machine back (E13)', async () => {
    const world = await createWorld(
      'if [ -e first.txt ]; then echo second > second.txt; else echo first > first.txt; sleep 600; fi',
      {
        groups: [
          { name: 'spot-group', max: 1 },
          { name: 'group', max: 1 },
        ],
        pools: { 't4g.large/spot': 'spot-group', 't4g.large/on-demand': 'group' },
      },
    );
    const id = await world.submit();
    await vi.waitFor(() => expect(world.agentsOf(id)).toBeGreaterThan(0), { timeout: 60_000 });
    const [spot] = world.simulator.instances.values();
    expect(spot?.group).toBe('spot-group');
    if (spot) spot.notice = JSON.stringify({ action: 'terminate', time: '2030-01-01T00:00:00Z' });
    const task = await world.until(id, (now) => completed(now) || now.status === 'FAILED');
    expect(task).toMatchObject({ status: 'COMPLETED', attempt: 2 });
    expect(git(world.repo, 'ls-tree', '--name-only', String(task.head_sha)).split('\n')).toEqual(
      expect.arrayContaining(['first.txt', 'second.txt']),
    );
    const groups = [...world.simulator.instances.values()].map(({ group }) => group);
    expect(groups).toContain('group');
    expect(await world.events(id)).toContain('task_restarted');
  });

  it('is started on a replacement when a machine does not boot (E9)', async () => {
    const world = await createWorld('echo hello > hello.txt');
    world.simulator.modes.boot = 'image';
    const id = await world.submit();
    await vi.waitFor(
      () =>
        expect(world.log.lines).toContainEqual(
          expect.objectContaining({ event: 'compute.ec2.boot_failed', phase: 'image' }),
        ),
      { timeout: 60_000 },
    );
    world.simulator.modes.boot = undefined;
    expect((await world.until(id, completed)).outcome).toBe('changes');
    expect(world.simulator.instances.size).toBeGreaterThan(1);
  });
});
