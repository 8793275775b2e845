import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { type ComputeHarness, computeContract } from '../../../test/contracts/compute.contract.ts';
import { createFleetSimulator } from '../../../test/fakes/fleet/simulator.ts';
import { ec2On, openInstances } from '../../../test/fixtures/ec2-fleet.ts';
import { startStartPlatform } from '../../../test/fixtures/start-platform.ts';
import { createProcessTree } from '../../processes/process-tree.ts';
import { createIdSource } from '../../task/ids.ts';
import type { SessionSpec } from '../strategy.ts';

const CAPACITY = 2;
const newId = createIdSource(Date.now);

/** A stand-in for the runner: notes that it started, then does what its task's token says. */
const RUNNER = `
import { appendFileSync, readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
const { token, task_id, attempt } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
appendFileSync(import.meta.dirname + '/starts-' + task_id + '-' + attempt, '1');
const session = { ...process.env, BGAGENT_SESSION: task_id + '-' + attempt };
if (token.startsWith('exit-')) process.exit(Number(token.slice(5)));
if (token === 'stubborn') {
  process.on('SIGTERM', () => {});
  spawn('setsid', ['sleep', '600'], { stdio: 'ignore', detached: true, env: session }).unref();
  spawn('setsid', ['sleep', '600'], { stdio: 'ignore', detached: true, env: session }).unref();
} else process.on('SIGTERM', () => process.exit(0));
setInterval(() => {}, 1000);
`;

async function createHarness(): Promise<ComputeHarness> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-ec2-runner-'));
  await writeFile(join(folder, 'runner.mjs'), RUNNER);
  const platform = await startStartPlatform();
  const simulator = await createFleetSimulator({
    groups: [{ name: 'octo-group', max: CAPACITY, desired: CAPACITY }],
    runner: [process.execPath, join(folder, 'runner.mjs')],
  });
  const store = await openInstances();
  const ended: string[] = [];
  const strategy = ec2On(simulator, {
    instances: store.instances,
    apiUrl: () => platform.url,
    groups: { 't4g.large/on-demand': 'octo-group' },
    limits: { warmIdle: CAPACITY },
    events: {
      sessionEnded: (taskId, attempt) => ended.push(`${taskId}-${attempt}`),
      capacityFreed: () => undefined,
    },
  });
  strategy.attach();
  await vi.waitFor(
    async () => {
      const idle = await store.instances.idle('octo', 't4g.large/on-demand');
      if (idle.length !== CAPACITY) throw new Error(`${idle.length} machines are idle`);
    },
    { timeout: 60_000, interval: 50 },
  );
  const names = (spec: SessionSpec) => `${spec.taskId}-${spec.attempt}`;
  return {
    strategy,
    ended,
    async spec(behaviour) {
      const taskId = newId();
      const deadlineAtMs = Date.now() + 60_000;
      return { taskId, attempt: 1, token: behaviour, readOnly: false, instanceType: null, deadlineAtMs };
    },
    starts: async (spec) =>
      (await readFile(join(folder, `starts-${names(spec)}`), 'utf8').catch(() => '')).length,
    async leftovers(spec) {
      return createProcessTree({ marker: `BGAGENT_SESSION=${names(spec)}`, folders: [] }).observe().length;
    },
    async close() {
      await strategy.close();
      await simulator.close();
      await store.close();
      await platform.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

computeContract('ec2', createHarness, { capacity: CAPACITY });
