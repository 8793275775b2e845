import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { createProcessTree } from '../../src/processes/process-tree.ts';
import type { TaskEvent } from '../../src/task/events.ts';
import type { Task } from '../../src/task/task.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { call, type RunningPlatform, startUp } from './platform.ts';

// Wide enough for a loaded machine; nothing here is about how long it takes.
vi.setConfig({ testTimeout: 180_000 });

let folder: string;
let platform: RunningPlatform | undefined;
afterEach(async () => {
  await platform?.end('SIGTERM');
  await rm(folder, { recursive: true, force: true });
});

const UNSANDBOXED = { BGAGENT_SANDBOX: 'off', BGAGENT_LOG_LEVEL: 'warn' };

/** A running platform and a repository whose agent is this command. */
async function setUp(
  agentCommand: string,
  environment: Record<string, string> = {},
): Promise<{ on: RunningPlatform; repo: string; dataDir: string }> {
  folder = await mkdtemp(join(tmpdir(), 'bgagent-e2e-'));
  const repo = bareRepo(folder);
  const dataDir = join(folder, 'data');
  const on = await startUp(dataDir, { ...UNSANDBOXED, ...environment });
  platform = on;
  await call(on, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, {
    compute_type: 'local',
    agent: 'command',
    agent_command: agentCommand,
  });
  return { on, repo, dataDir };
}

const submit = async (on: RunningPlatform, repo: string): Promise<string> =>
  (await call<Task>(on, 'POST', '/v1/tasks', { repo, task_description: 'Say hello' })).data.task_id;

const until = (on: RunningPlatform, id: string, holds: (task: Task) => boolean): Promise<Task> =>
  vi.waitFor(
    async () => {
      const { data } = await call<Task>(on, 'GET', `/v1/tasks/${id}`);
      if (!holds(data)) throw new Error(`${data.status}: ${data.error_message}`);
      return data;
    },
    { timeout: 60_000, interval: 50 },
  );

const events = async (on: RunningPlatform, id: string): Promise<string[]> =>
  (await call<TaskEvent[]>(on, 'GET', `/v1/tasks/${id}/events?limit=100`)).data.map(
    (event) => event.event_type,
  );

const pidsMarked = (marker: string): number[] =>
  createProcessTree({ marker, folders: [] })
    .observe()
    .map(({ pid }) => pid);

const processesOf = (id: string): number[] => pidsMarked(`BGAGENT_TASK_ID=${id}`);

it('loses nothing when it is stopped and started in the middle of tasks', async () => {
  const { on, repo, dataDir } = await setUp('sleep 1.5; echo hello > hello.txt', {
    BGAGENT_LOCAL_CAPACITY: '2',
  });
  const ids = await Promise.all(Array.from({ length: 4 }, () => submit(on, repo)));
  await vi.waitFor(() => expect(ids.filter((id) => processesOf(id).length > 0)).toHaveLength(2), {
    timeout: 60_000,
  });
  expect(await on.end('SIGTERM')).toBe(0);
  // Agents at work go on without the platform.
  expect(ids.filter((id) => processesOf(id).length > 0)).toHaveLength(2);

  const again = await startUp(dataDir, { ...UNSANDBOXED, BGAGENT_LOCAL_CAPACITY: '2' });
  platform = again;
  expect(again.apiKey).toBe(on.apiKey);
  for (const id of ids) {
    const task = await until(again, id, ({ status }) => status === 'COMPLETED');
    expect(git(repo, 'show', `${task.head_sha}:hello.txt`)).toBe('hello');
    expect(
      (await events(again, id)).filter((type) => type === 'session_started' || type === 'task_completed'),
    ).toEqual(['session_started', 'task_completed']);
  }
});

it('hears of a task that ended while it was down', async () => {
  const { on, repo, dataDir } = await setUp('echo hello > hello.txt; sleep 1');
  const id = await submit(on, repo);
  await vi.waitFor(() => expect(processesOf(id).length).toBeGreaterThan(0), { timeout: 60_000 });
  await on.end('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  platform = await startUp(dataDir, UNSANDBOXED);
  const task = await until(platform, id, ({ status }) => status === 'COMPLETED');
  expect(git(repo, 'rev-parse', `refs/heads/${task.branch_name}`)).toBe(task.head_sha);
});

it('cancels at once: the agent is dead, what it did is on the branch, nothing is left (O6, O7)', async () => {
  const { on, repo, dataDir } = await setUp(
    'echo part > part.txt; (sleep 600 & setsid sleep 600 &); trap "" TERM; sleep 600',
  );
  const id = await submit(on, repo);
  await vi.waitFor(async () => expect(await events(on, id)).toContain('phase_started'), { timeout: 60_000 });
  await vi.waitFor(() => expect(processesOf(id).length).toBeGreaterThanOrEqual(3), { timeout: 60_000 });
  const answer = await call<Task>(on, 'DELETE', `/v1/tasks/${id}`);
  expect(answer).toMatchObject({ status: 200, data: { task_id: id, status: 'CANCELLED' } });
  expect(processesOf(id)).toEqual([]);
  const task = await until(on, id, ({ status }) => status === 'CANCELLED');
  expect(task).toMatchObject({ partial: true, error_classification: { errorClass: 'CANCELLED_BY_USER' } });
  expect(git(repo, 'show', `${task.head_sha}:part.txt`)).toBe('part');
  expect((await call(on, 'DELETE', `/v1/tasks/${id}`)).error?.code).toBe('TASK_ALREADY_TERMINAL');
  await vi.waitFor(async () => expect(await readdir(join(dataDir, 'work', 'runs'))).toEqual([]), {
    timeout: 60_000,
  });
});

it('ends at its deadline with what there is (T6)', async () => {
  const { on, repo } = await setUp('echo part > part.txt; sleep 600');
  await call(on, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, { deadline_s: 10 });
  const id = await submit(on, repo);
  const task = await until(on, id, ({ status }) => status === 'TIMED_OUT');
  expect(task).toMatchObject({ partial: true, error_classification: { errorClass: 'DEADLINE_REACHED' } });
  expect(git(repo, 'show', `${task.head_sha}:part.txt`)).toBe('part');
});

it('fails a task whose runner was killed, and says so', async () => {
  const { on, repo } = await setUp('sleep 600');
  const id = await submit(on, repo);
  const [runner] = await vi.waitFor(
    () => {
      const pids = pidsMarked(`BGAGENT_SESSION=${id}-1`);
      expect(pids.length).toBeGreaterThanOrEqual(2);
      return pids.sort((a, b) => a - b);
    },
    { timeout: 60_000 },
  );
  process.kill(runner ?? 0, 'SIGKILL');
  expect((await until(on, id, ({ status }) => status === 'FAILED')).error_classification?.errorClass).toBe(
    'SESSION_EXITED',
  );
  await vi.waitFor(() => expect(processesOf(id)).toEqual([]), { timeout: 60_000 });
});

it('says who has the data folder when it is started twice', async () => {
  const { dataDir, on } = await setUp('true');
  await expect(startUp(dataDir)).rejects.toThrow(String(on.process.pid));
});
