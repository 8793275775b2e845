import { type ChildProcess, execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProcessTree } from '../../src/processes/process-tree.ts';
import { createIdSource } from '../../src/task/ids.ts';
import type { SimMachine } from '../fakes/fleet/machine.ts';
import { createFleetSimulator, type FleetSimulator } from '../fakes/fleet/simulator.ts';
import { type StartPlatform, startStartPlatform } from '../fixtures/start-platform.ts';
import { findShellcheck } from './shellcheck.ts';

const newId = createIdSource(Date.now);
const PROGRAMS = 'src/compute/ec2/instance/bin';

/** Notes its start, and ends as the token says. */
const RUNNER = `
import { appendFileSync, readFileSync } from 'node:fs';
const { token, task_id } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
appendFileSync(import.meta.dirname + '/started', task_id + '\\n');
if (token.startsWith('exit-')) process.exit(Number(token.slice(5)));
process.on('SIGTERM', () => process.exit(token === 'dies-1' ? 1 : 0));
setInterval(() => {}, 1000);
`;

let folder: string;
let platform: StartPlatform;
let simulator: FleetSimulator;
let machine: SimMachine;
let id: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgagent-programs-'));
  writeFileSync(join(folder, 'runner.mjs'), RUNNER);
  platform = await startStartPlatform();
  simulator = await createFleetSimulator({
    groups: [{ name: 'octo-group', max: 1, desired: 1 }],
    runner: [process.execPath, join(folder, 'runner.mjs')],
  });
  const [found] = simulator.machines;
  if (!found) throw new Error('no machine');
  [id, machine] = found;
  await vi.waitFor(() => expect(existsSync(join(machine.root, 'run/prepared'))).toBe(true), 30_000);
});
afterEach(async () => {
  await simulator.close();
  await platform.close();
  await rm(folder, { recursive: true, force: true });
});

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once('close', resolve));
const run = (line: string): Promise<number | null> => ended(machine.script(`exec /opt/bgagent/bin/${line}`));
const started = (): string[] =>
  existsSync(join(folder, 'started')) ? readFileSync(join(folder, 'started'), 'utf8').trim().split('\n') : [];
const traces = (): string[] => readdirSync(join(machine.root, 'run/sessions'));
const runnersOf = (taskId: string): number =>
  createProcessTree({ marker: `SIM_CONTAINER=${machine.root}/bgagent-${taskId}-1`, folders: [] }).observe()
    .length;
const untilStarted = (taskId: string) =>
  vi.waitFor(() => expect(started()).toContain(taskId), { timeout: 30_000, interval: 20 });

function payload(taskId: string, fields: Record<string, string> = {}): string {
  const all = {
    task: taskId,
    epoch: '1',
    'not-after': '9999999999',
    api: platform.url,
    runner: 'ec2/here',
    image: 'registry.example/bgagent-runner:1',
    gpus: 'none',
    token: 'waits',
    ...fields,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} ${value}`);
  const bootstrap = JSON.stringify({ task_id: taskId, token: all.token });
  return `bgagent-session/1\n${lines.join('\n')}\n\n${bootstrap}\n`;
}

/** Puts a payload in place and returns the command line that starts its session. */
function prepared(taskId: string, text = payload(taskId)): string {
  simulator.objects.set(`octo-payloads/payloads/${taskId}`, Buffer.from(text));
  return `start-session s3://octo-payloads/payloads/${taskId} ${taskId} 1 3600`;
}

describe('the programs of an instance', () => {
  it('are without a fault that shellcheck knows', async (context) => {
    const shellcheck = await findShellcheck();
    if ('missing' in shellcheck) return context.skip(shellcheck.missing);
    const files = readdirSync(PROGRAMS).map((name) => join(PROGRAMS, name));
    await promisify(execFile)(shellcheck.file, ['--external-sources', ...files]);
  });

  it('have nothing filled in by anyone (E7)', () => {
    for (const name of readdirSync(PROGRAMS))
      expect(readFileSync(join(PROGRAMS, name), 'utf8')).not.toMatch(/\$\{\{|\{\{|<%|__[A-Z]+__/);
  });
});

describe('start-session', () => {
  it.each([0, 1, 3])(
    'lasts as long as the session, and ends with the runner’s exit code %i',
    async (code) => {
      const taskId = newId();
      expect(await run(prepared(taskId, payload(taskId, { token: `exit-${code}` })))).toBe(code);
      expect(started()).toEqual([taskId]);
      expect(runnersOf(taskId)).toBe(0);
    },
  );

  it('begins a session once, however often it is called, and each call lasts to its end', async () => {
    const taskId = newId();
    const line = prepared(taskId);
    const calls = [run(line), run(line), run(line)];
    await untilStarted(taskId);
    expect(await run(`stop-session ${taskId} 1 65`)).toBe(0);
    expect(await Promise.all(calls)).toEqual([0, 0, 0]);
    expect(started()).toEqual([taskId]);
    expect(await run(line)).toBe(0);
    expect(started()).toEqual([taskId]);
  });

  it('leaves the session alone when it is killed (E8)', async () => {
    const taskId = newId();
    const child = machine.script(`exec /opt/bgagent/bin/${prepared(taskId)}`);
    await untilStarted(taskId);
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await ended(child);
    expect(runnersOf(taskId)).toBeGreaterThan(0);
    expect(await run(`stop-session ${taskId} 1 65`)).toBe(0);
    expect(runnersOf(taskId)).toBe(0);
  });

  it.each([
    ['66: the payload is gone', 66, undefined, {}],
    ['67: the payload belongs to another attempt', 67, { epoch: '2' }, {}],
    ['67: it names no image', 67, { image: '--privileged' }, {}],
    ['67: its address is none', 67, { api: 'file:///etc/passwd' }, {}],
    ['67: its token would be a line of curl’s', 67, { token: 'a"\nurl = "b' }, {}],
    ['77: it came too late', 77, { 'not-after': '1000000000' }, {}],
    ['77: the platform refuses it', 77, {}, { refused: true }],
    ['77: another place has begun the attempt', 77, {}, { taken: true }],
  ] as const)('leaves no trace of a session that may not begin (%s)', async (_, code, fields, state) => {
    const taskId = newId();
    const line = prepared(taskId, payload(taskId, fields));
    if (fields === undefined) simulator.objects.clear();
    if ('refused' in state) platform.refused.add(taskId);
    if ('taken' in state) platform.asked.set(taskId, ['ec2/elsewhere']);
    expect(await run(line)).toBe(code);
    expect(started()).toEqual([]);
    expect(traces()).toEqual([]);
  });

  it('gives up when the platform never answers', async () => {
    const taskId = newId();
    expect(await run(prepared(taskId, payload(taskId, { api: 'http://127.0.0.1:1' })))).toBe(69);
    expect(traces()).toEqual([]);
  });

  it('runs one session at a time', async () => {
    const first = newId();
    const running = run(prepared(first));
    await untilStarted(first);
    const second = newId();
    expect(await run(prepared(second))).toBe(73);
    expect(started()).toEqual([first]);
    await run(`stop-session ${first} 1 65`);
    await running;
  });

  it.each([
    'start-session',
    'start-session s3://octo/x 01ARZ3NDEKTSV4RRFFQ69G5FAV 1',
    "start-session s3://octo-payloads/x '$(touch /tmp/x)' 1 3600",
    'start-session https://octo-payloads/x 01ARZ3NDEKTSV4RRFFQ69G5FAV 1 3600',
    'start-session s3://octo-payloads/x 01ARZ3NDEKTSV4RRFFQ69G5FAV 0 3600',
    'stop-session 01ARZ3NDEKTSV4RRFFQ69G5FAV ../../x 65',
    'run-session ../x',
    'halt-session',
    'end-session x',
  ])('and the others refuse a wrong call: %s', async (line) => {
    expect(await run(line)).toBe(64);
  });

  it('tells AWS’s tools the region of the instance (E7)', async () => {
    // The stand-in for AWS's command line fails without both variables; nothing else sets them.
    const taskId = newId();
    expect(await run(prepared(taskId, payload(taskId, { token: 'exit-0' })))).toBe(0);
  });
});

describe('stop-session', () => {
  it('keeps a session that has not begun yet from beginning', async () => {
    const taskId = newId();
    expect(await run(`stop-session ${taskId} 1 65`)).toBe(0);
    expect(await run(prepared(taskId))).toBe(77);
    expect(started()).toEqual([]);
  });

  it('is harmless twice, and for a session that never was', async () => {
    expect(await run(`stop-session ${newId()} 1 65`)).toBe(0);
    const taskId = newId();
    const running = run(prepared(taskId));
    await untilStarted(taskId);
    expect(await run(`stop-session ${taskId} 1 65`)).toBe(0);
    expect(await run(`stop-session ${taskId} 1 65`)).toBe(0);
    expect(await running).toBe(0);
  });

  it('keeps images, so that the next start is fast', async () => {
    const images = () => readdirSync(join(machine.root, 'images'));
    const before = images();
    await run(`stop-session ${newId()} 1 65`);
    expect(before).toHaveLength(1);
    expect(images()).toEqual(before);
  });
});

describe('boot-check', () => {
  it('passes on a machine that is ready', async () => {
    expect(await run('boot-check')).toBe(0);
  });

  it('says what is missing', async () => {
    writeFileSync(join(machine.root, 'instance.conf'), 'image none:1\nmin-free-gb 0\n');
    expect(await run('boot-check')).toBe(11);
    const image = 'registry.example/bgagent-runner:1';
    writeFileSync(join(machine.root, 'instance.conf'), `image ${image}\nmin-free-gb 99999999\n`);
    expect(await run('boot-check')).toBe(12);
    writeFileSync(join(machine.root, 'instance.conf'), `image ${image}\nmin-free-gb 0\ngpus all\n`);
    expect(await run('boot-check')).toBe(0);
    writeFileSync(join(machine.root, 'broken-gpu'), '');
    expect(await run('boot-check')).toBe(13);
    writeFileSync(join(machine.root, 'broken-docker'), '');
    expect(await run('boot-check')).toBe(10);
  });

  it('waits for the preparation, and tells how that failed', async () => {
    await rm(join(machine.root, 'run/prepared'));
    const waiting = run('boot-check');
    writeFileSync(join(machine.root, 'run/prepare-failed'), 'image');
    expect(await waiting).toBe(11);
  });
});

describe('the watcher of the Spot notice (E13)', () => {
  it('stops what runs, and tells that it was an interruption', async () => {
    const taskId = newId();
    const running = run(prepared(taskId));
    await untilStarted(taskId);
    const instance = simulator.instances.get(id);
    if (instance) instance.notice = '{"action":"terminate"}';
    expect(await running).toBe(83);
    expect(runnersOf(taskId)).toBe(0);
    expect(await run(prepared(newId()))).toBe(83);
  });
});
