import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { InstanceStore } from '../../../src/stores/instance-store.ts';
import { createIdSource } from '../../../src/task/ids.ts';
import { createFastClock, type FastClock } from './clock.ts';
import { createRaceCloud } from './cloud.ts';
import { serve } from './remote.ts';
import { createRaceTasks, type Job } from './tasks.ts';

/** So long without a finished task is a standstill, even on a busy machine: it ends the race and tells where everything was. */
const STALL_MS = 120_000;

const PROGRAM = fileURLToPath(new URL('./program.ts', import.meta.url));

export interface RaceOptions {
  /** Makes the store that decides, on the race's clock. */
  openStore(clock: FastClock): Promise<{ instances: InstanceStore; close(): Promise<void> }>;
  tasks: number;
  processes: number;
  /** In each process. */
  orchestrators: number;
  machines: number;
  /** Machines serve one session after the other. */
  reuse: boolean;
  /** How much faster time goes. Default 200: reads that take two seconds take milliseconds. */
  speed?: number;
  /** After so many finished tasks each: a process is killed; a machine dies. */
  killProcessEvery: number;
  killMachineEvery: number;
}

export interface RaceResult {
  violations: string[];
  done: number;
  claims: number;
  attemptsToClaim: number;
  processesKilled: number;
  /** What the store holds in the end. */
  left: { sessions: number; busy: number; wishes: number; payloads: number };
  seconds: number;
}

/** Many orchestrators in several processes want the same few machines, while answers are lost and processes and machines die. */
export async function runRace(options: RaceOptions): Promise<RaceResult> {
  const began = Date.now();
  const { speed = 200 } = options;
  const clock = createFastClock({ startedAtMs: began, speed });
  const violations: string[] = [];
  const newId = createIdSource(Date.now);
  const tasks = createRaceTasks({ total: options.tasks, name: newId, violations });
  const world = createRaceCloud({
    clock,
    tasks,
    random: Math.random,
    size: options.machines,
    violations,
  });
  const store = await options.openStore(clock);
  const counts = { claims: 0, attemptsToClaim: 0, processesKilled: 0 };
  const children = new Set<ChildProcess>();
  const held = new Map<ChildProcess, Map<string, Job>>();
  let ending = false;

  async function around(
    child: ChildProcess,
    { target, method }: { target: string; method: string },
    work: () => Promise<unknown>,
  ): Promise<unknown> {
    if (target === 'tasks') {
      const value = await work();
      note(child, method, value);
      return value;
    }
    if (Math.random() < 0.003) throw new Error('refused: ThrottlingException');
    const value = await work();
    if (method === 'claim') {
      counts.attemptsToClaim += 1;
      if (value === 'claimed') counts.claims += 1;
    }
    if (READS.has(method)) await clock.delay(2_000 * Math.random());
    // Done, but nobody learns of it.
    if (Math.random() < 0.005) throw new Error('the connection broke');
    return value;
  }

  function note(child: ChildProcess, method: string, value: unknown): void {
    if (method === 'take' && typeof value === 'object' && value !== null) {
      const job = value as Job;
      const jobs = held.get(child);
      if (jobs) jobs.set(`${job.taskId}-${job.attempt}`, job);
      // What a killed process had asked for may be read after its exit is known.
      else tasks.orphaned(job, { sameAttempt: true });
    }
  }

  function spawnChild(): void {
    const setup = {
      orchestrators: options.orchestrators,
      startedAtMs: began,
      speed,
      reuse: options.reuse,
    };
    const child = fork(PROGRAM, [JSON.stringify(setup)], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.add(child);
    held.set(child, new Map());
    serve(child, { tasks, instances: store.instances, cloud: world.cloud }, (call, work) =>
      around(child, call, work),
    );
    child.once('exit', (code) => {
      children.delete(child);
      for (const job of held.get(child)?.values() ?? [])
        tasks.orphaned(job, { sameAttempt: Math.random() < 0.5 });
      held.delete(child);
      if (code !== 0 && !ending) spawnChild();
    });
  }

  const standstill = async () => ({
    done: tasks.done(),
    open: tasks.open().slice(0, 5),
    machines: await store.instances.list('octo'),
    sessions: (await store.instances.sessions('octo')).slice(0, 20),
    wishes: (await store.instances.wishes('octo')).length,
    account: world.counts(),
  });

  for (let at = 0; at < options.processes; at += 1) spawnChild();
  let progress = { done: 0, atMs: began };
  let [nextKill, nextDeath] = [options.killProcessEvery, options.killMachineEvery];
  try {
    // After a first violation nothing more is proved, and the race may have no end.
    while (children.size > 0 && violations.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const done = tasks.done();
      if (done !== progress.done) progress = { done, atMs: Date.now() };
      if (Date.now() - progress.atMs > STALL_MS)
        throw new Error(`nothing goes on: ${JSON.stringify(await standstill())}`);
      if (done >= nextKill && done < options.tasks * 0.9) {
        nextKill += options.killProcessEvery;
        counts.processesKilled += 1;
        [...children][Math.floor(Math.random() * children.size)]?.kill('SIGKILL');
      }
      if (done >= nextDeath && done < options.tasks * 0.9) {
        nextDeath += options.killMachineEvery;
        world.killOne();
      }
    }
    const { instances } = store;
    return {
      violations,
      done: tasks.done(),
      ...counts,
      left: {
        sessions: (await instances.sessions('octo')).length,
        busy: (await instances.list('octo')).filter(({ phase }) => phase === 'busy').length,
        wishes: (await instances.wishes('octo')).length,
        payloads: world.counts().payloads,
      },
      seconds: Math.round((Date.now() - began) / 1_000),
    };
  } finally {
    ending = true;
    for (const child of children) child.kill('SIGKILL');
    await store.close();
  }
}

const READS = new Set([
  'idle',
  'get',
  'list',
  'session',
  'sessions',
  'wishes',
  'machines',
  'machine',
  'groups',
  'online',
  'executing',
  'invocation',
  'findCommand',
]);
