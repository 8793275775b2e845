import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { type ComputeHarness, computeContract } from '../../../test/contracts/compute.contract.ts';
import { createProcessTree } from '../../processes/process-tree.ts';
import { createIdSource } from '../../task/ids.ts';
import type { SessionSpec } from '../strategy.ts';
import { createLocalCompute } from './local.ts';

const CAPACITY = 2;
const newId = createIdSource(Date.now);

/** A stand-in for the runner: notes that it started, then does what its task's token says. */
const RUNNER = `
import { appendFileSync, readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
const { token, work_dir, task_id, attempt } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
appendFileSync(work_dir + '/starts-' + task_id + '-' + attempt, '1');
if (token.startsWith('exit-')) process.exit(Number(token.slice(5)));
if (token === 'stubborn') {
  process.on('SIGTERM', () => {});
  spawn('sh', ['-c', 'cd ' + work_dir + '/runs/' + task_id + '-' + attempt + ' && env -i setsid sleep 600 &'], { stdio: 'ignore', detached: true }).unref();
} else process.on('SIGTERM', () => process.exit(0));
setInterval(() => {}, 1000);
`;

async function createHarness(): Promise<
  ComputeHarness & { dataDir: string; reopen(): Promise<ComputeHarness['strategy']> }
> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bgagent-local-'));
  const workDir = join(dataDir, 'work');
  await mkdir(join(workDir, 'runs'), { recursive: true });
  await writeFile(join(dataDir, 'runner.mjs'), RUNNER);
  const ended: string[] = [];
  const open = () =>
    createLocalCompute({
      dataDir,
      workDir,
      runnerCommand: [process.execPath, join(dataDir, 'runner.mjs')],
      runnerEnvironment: { PATH: process.env.PATH ?? '' },
      apiUrl: () => 'http://127.0.0.1:1',
      apiUrlFile: join(dataDir, 'platform.json'),
      capacity: CAPACITY,
      events: {
        sessionEnded: (taskId, attempt) => ended.push(`${taskId}-${attempt}`),
        capacityFreed: () => undefined,
      },
      log: { warn: () => undefined },
    });
  const opened = [open()];
  const folderOf = (spec: SessionSpec) => join(workDir, 'runs', `${spec.taskId}-${spec.attempt}`);
  const strategy = opened[0];
  if (!strategy) throw new Error('unreachable');
  return {
    dataDir,
    strategy,
    ended,
    async spec(behaviour) {
      const spec: SessionSpec = {
        taskId: newId(),
        attempt: 1,
        token: behaviour,
        readOnly: false,
        instanceType: null,
        deadlineAtMs: Date.now() + 60_000,
      };
      await mkdir(folderOf(spec), { recursive: true });
      return spec;
    },
    async starts(spec) {
      return (await readFile(join(workDir, `starts-${spec.taskId}-${spec.attempt}`), 'utf8').catch(() => ''))
        .length;
    },
    async leftovers(spec) {
      const marker = `BGAGENT_SESSION=${spec.taskId}-${spec.attempt}`;
      return createProcessTree({ marker, folders: [folderOf(spec)] }).observe().length;
    },
    async reopen() {
      const again = open();
      opened.push(again);
      await again.attach();
      return again;
    },
    async close() {
      const last = opened.at(-1);
      for (const session of (await last?.list()) ?? []) await last?.stop(session, { graceMs: 2_000 });
      for (const compute of opened) compute.close();
      // How a session ended may be written down still.
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

computeContract('local', createHarness, { capacity: CAPACITY });

it('finds its runners again after a restart, and tells when they end', async () => {
  const harness = await createHarness();
  try {
    const spec = await harness.spec('wait');
    await harness.strategy.start(spec);
    await vi.waitFor(async () => expect(await harness.starts(spec)).toBe(1), { timeout: 20_000 });
    const again = await harness.reopen();
    const session = { type: 'local', id: `${spec.taskId}-1`, ref: null };
    expect(await again.describe(session)).toEqual({ kind: 'running' });
    expect(await again.start(spec)).toEqual({ kind: 'started', session });
    expect(await harness.starts(spec)).toBe(1);
    harness.ended.length = 0;
    await again.stop(session, { graceMs: 5_000 });
    expect(harness.ended).toContain(session.id);
  } finally {
    await harness.close();
  }
});

it('adopts a runner whose start was not written down', async () => {
  const harness = await createHarness();
  try {
    const spec = await harness.spec('wait');
    await harness.strategy.start(spec);
    await rm(join(harness.dataDir, 'sessions', `${spec.taskId}-1`, 'process.json'));
    const again = await harness.reopen();
    expect((await again.start(spec)).kind).toBe('started');
    await vi.waitFor(async () => expect(await harness.starts(spec)).toBe(1), { timeout: 20_000 });
    // A second runner would note its start within this time as the first did.
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await harness.starts(spec)).toBe(1);
  } finally {
    await harness.close();
  }
});

it('keeps the bootstrap file from other users, and the token off the command line', async () => {
  const harness = await createHarness();
  try {
    const spec = await harness.spec('wait');
    await harness.strategy.start(spec);
    const { stat } = await import('node:fs/promises');
    const file = join(harness.dataDir, 'sessions', `${spec.taskId}-1`, 'bootstrap.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  } finally {
    await harness.close();
  }
});
