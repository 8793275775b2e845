import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createRunnerService, type RunnerService } from './service.ts';

/** Notes its address, then waits for the order to end. */
const RUNNER = `
import { appendFileSync } from 'node:fs';
appendFileSync(process.env.NOTES, process.env.BGAGENT_BOOTSTRAP_URL + '\\n');
process.on('SIGTERM', () => { appendFileSync(process.env.NOTES, 'pushed\\n'); process.exit(0); });
setInterval(() => {}, 1000);
`;
const task = { task_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV', attempt: 1 };

let folder: string;
let service: RunnerService;
let now = 1_000_000;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bgagent-service-'));
  await writeFile(join(folder, 'runner.mjs'), RUNNER);
  now = 1_000_000;
  service = await createRunnerService({
    host: '127.0.0.1',
    port: 0,
    command: [process.execPath, join(folder, 'runner.mjs')],
    environment: { NOTES: join(folder, 'notes') },
    now: () => now,
    log: () => undefined,
  });
});
afterEach(async () => {
  await service.close();
  await rm(folder, { recursive: true, force: true });
});

const notes = () => readFile(join(folder, 'notes'), 'utf8').catch(() => '');
const ping = async () => (await fetch(`${service.url}/ping`)).json();
async function invoke(body: unknown, path = '/invocations', method = 'POST') {
  const answer = await fetch(`${service.url}${path}`, {
    method,
    ...(method === 'POST' ? { body: JSON.stringify(body) } : {}),
  });
  return { status: answer.status, body: await answer.json() };
}
const start = (fields: object = {}) =>
  invoke({ action: 'start', ...task, bootstrap_url: 'https://bucket/key?signature', ...fields });
const begun = () => vi.waitFor(async () => expect(await notes()).not.toBe(''), { timeout: 20_000 });

it('is healthy, busy while its task runs, and says since when (A2)', async () => {
  expect(await ping()).toEqual({ status: 'Healthy', time_of_last_update: 1_000 });
  now += 5_000;
  expect(await start()).toEqual({ status: 200, body: { status: 'started', running: true } });
  now += 60_000;
  expect(await ping()).toEqual({ status: 'HealthyBusy', time_of_last_update: 1_005 });
  await begun();
  await invoke({ action: 'stop', ...task, grace_ms: 20_000 });
  expect(await ping()).toEqual({ status: 'Healthy', time_of_last_update: 1_065 });
});

it('starts a task once, however often it is told, also after its end (A2)', async () => {
  await start();
  await begun();
  expect((await start()).body).toEqual({ status: 'already-started', running: true });
  expect((await invoke({ action: 'stop', ...task, grace_ms: 20_000 })).body).toEqual({
    status: 'ended',
    running: false,
    exit_code: 0,
  });
  expect((await start()).body).toEqual({ status: 'already-started', running: false, exit_code: 0 });
  expect(await notes()).toBe('https://bucket/key?signature\npushed\n');
});

it('refuses another task or attempt', async () => {
  await start();
  expect(await start({ attempt: 2 })).toMatchObject({ status: 409 });
  await begun();
});

it('knows nothing of a task that it was not told to start', async () => {
  expect((await invoke({ action: 'stop', ...task, grace_ms: 0 })).body).toEqual({
    status: 'not-started',
    running: false,
  });
});

it('lets the runner end its work when it is ended itself', async () => {
  await start();
  await begun();
  await service.close();
  expect(await notes()).toContain('pushed');
});

it.each([
  [{ action: 'dance' }, 400, /action/],
  [{ action: 'start', ...task }, 400, /bootstrap_url/],
  [{ action: 'start', ...task, attempt: 0, bootstrap_url: 'https://x' }, 400, /attempt/],
  ['x'.repeat(70_000), 413, /over 65536 bytes/],
  [null, 400, /the body/],
])('says what is wrong with an invocation: %.40j', async (body, status, error) => {
  expect(await invoke(body)).toMatchObject({ status, body: { error: expect.stringMatching(error) } });
});

it('has two paths only', async () => {
  expect((await invoke(null, '/admin')).status).toBe(404);
  expect((await invoke(null, '/ping')).status).toBe(405);
  expect((await invoke(null, '/invocations', 'GET')).status).toBe(405);
});
