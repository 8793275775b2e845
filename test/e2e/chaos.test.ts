import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { createProcessTree } from '../../src/processes/process-tree.ts';
import type { TaskEvent } from '../../src/task/events.ts';
import type { Task } from '../../src/task/task.ts';
import { bareRepo, git } from '../fixtures/git-repo.ts';
import { random } from '../fixtures/random.ts';
import { call, type RunningPlatform, startUp } from './platform.ts';

/**
 * The platform is killed with SIGKILL at random moments while tasks run, and started again each time. The seed is printed,
 * so that a failure can be tried again: BGAGENT_CHAOS_SEED, BGAGENT_CHAOS_KILLS.
 */
const SEED = Number(process.env.BGAGENT_CHAOS_SEED ?? Date.now() % 1_000_000);
const KILLS = Number(process.env.BGAGENT_CHAOS_KILLS ?? 50);
const TASKS = 20;

const folders: string[] = [];
let platform: RunningPlatform | undefined;
afterEach(async () => {
  await platform?.end('SIGTERM');
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

it(`every task ends once and truthfully while the platform is killed ${KILLS} times`, {
  timeout: 280_000,
}, async () => {
  console.log(`chaos: seed ${SEED}, ${KILLS} kills, ${TASKS} tasks`);
  const next = random(SEED);
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-chaos-'));
  folders.push(folder);
  const repo = bareRepo(folder);
  const dataDir = join(folder, 'data');
  const environment = {
    BGAGENT_SANDBOX: 'off',
    BGAGENT_RECONCILE_INTERVAL_S: '1',
    BGAGENT_MAX_ACTIVE_PER_USER: '6',
    BGAGENT_LOCAL_CAPACITY: '4',
    BGAGENT_LOG_LEVEL: 'warn',
  };
  platform = await startUp(dataDir, environment);

  const agentCommand =
    'sleep $(awk "BEGIN{srand($$); print 0.2 + rand()}"); echo "$BGAGENT_TASK_ID" > work-$BGAGENT_TASK_ID.txt';
  await call(platform, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, {
    compute_type: 'local',
    agent: 'command',
    agent_command: agentCommand,
  });
  const submit = async (n: number): Promise<string> => {
    for (;;) {
      try {
        if (!platform) throw new Error('no platform');
        const answer = await call<{ task_id: string }>(
          platform,
          'POST',
          '/v1/tasks',
          { repo, task_description: `Write file ${n}` },
          { 'idempotency-key': `chaos-${n}` },
        );
        if (answer.status < 300) return answer.data.task_id;
      } catch {
        // It is down just now: the key makes trying again safe.
      }
      await delay(20);
    }
  };
  const submitting = Promise.all(
    Array.from({ length: TASKS }, (_, n) => delay(n * 150).then(() => submit(n))),
  );

  for (let kill = 0; kill < KILLS; kill += 1) {
    await delay(next() * 500);
    await platform.end('SIGKILL');
    platform = await startUp(dataDir, environment);
  }
  const ids = await submitting;
  expect(new Set(ids).size).toBe(TASKS);

  for (const id of ids) {
    const task = await ended(platform, id);
    expect(task, `${id}: ${task.error_message}`).toMatchObject({ status: 'COMPLETED', outcome: 'changes' });
    // Truthfully: the commit is on the remote and holds the work, once.
    expect(git(repo, 'rev-parse', `refs/heads/${task.branch_name}`)).toBe(task.head_sha);
    expect(git(repo, 'show', `${task.head_sha}:work-${id}.txt`)).toBe(id);
    expect(git(repo, 'rev-list', '--count', `main..${task.head_sha}`)).toBe('1');
    checkEvents(await allEvents(platform, id));
  }
  await nothingLeft(dataDir, ids);
  git(repo, 'fsck', '--strict');
});

async function ended(on: RunningPlatform, id: string): Promise<Task> {
  for (const until = Date.now() + 60_000; ; await delay(50)) {
    const { data } = await call<Task>(on, 'GET', `/v1/tasks/${id}`);
    if (['COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT'].includes(data.status)) return data;
    if (Date.now() > until)
      throw new Error(`task ${id} is ${data.status}, waiting for ${data.waiting_for}\n${on.log()}`);
  }
}

async function allEvents(on: RunningPlatform, id: string): Promise<TaskEvent[]> {
  const { data } = await call<TaskEvent[]>(on, 'GET', `/v1/tasks/${id}/events?limit=100`);
  return data;
}

/** Each thing is said once, in order, with nothing missing between the first and the terminal event. */
function checkEvents(events: TaskEvent[]): void {
  const types = events.map((event) => event.event_type);
  const ids = events.map((event) => event.event_id);
  expect(ids).toEqual([...new Set(ids)].sort());
  const once = [
    'task_created',
    'admission_granted',
    'hydration_complete',
    'session_started',
    'runner_started',
    'branch_pushed',
    'outcome_reported',
    'task_completed',
  ];
  if (!types.includes('task_restarted')) expect(types.filter((type) => once.includes(type))).toEqual(once);
  expect(types.filter((type) => type === 'task_completed')).toHaveLength(1);
  expect(types.at(-1)).toBe('task_completed');
  const phases = events
    .filter((event) => event.event_type === 'phase_completed')
    .map((event) => event.metadata.phase);
  expect(new Set(phases).size).toBe(phases.length);
}

async function nothingLeft(dataDir: string, ids: string[]): Promise<void> {
  const workspaces = join(dataDir, 'work', 'runs');
  const empty = async (folder: string) => (await readdir(folder).catch(() => [])).length === 0;
  for (const until = Date.now() + 60_000; Date.now() < until; await delay(100)) {
    if ((await empty(join(dataDir, 'sessions'))) && (await empty(workspaces))) break;
  }
  expect(await readdir(join(dataDir, 'sessions'))).toEqual([]);
  expect(await readdir(workspaces)).toEqual([]);
  for (const id of ids)
    expect(createProcessTree({ marker: `BGAGENT_TASK_ID=${id}`, folders: [] }).observe()).toEqual([]);
}
