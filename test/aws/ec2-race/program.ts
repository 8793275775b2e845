import { randomBytes } from 'node:crypto';
import type { Cloud } from '../../../src/compute/ec2/cloud.ts';
import { poolsOf } from '../../../src/compute/ec2/pools.ts';
import { createEc2Compute, type Ec2Compute } from '../../../src/compute/ec2/strategy.ts';
import type { InstanceStore } from '../../../src/stores/instance-store.ts';
import { BgAgentError } from '../../../src/task/errors.ts';
import type { Session } from '../../../src/task/task.ts';
import { createFastClock } from './clock.ts';
import { remote } from './remote.ts';
import type { createRaceTasks, Job } from './tasks.ts';

/** Several orchestrators in one process, which takes tasks until there are none: start, wait for the end, stop, clean up. */

interface RaceSetup {
  orchestrators: number;
  startedAtMs: number;
  speed: number;
  reuse: boolean;
}

// Without its race it has no work.
process.once('disconnect', () => process.exit());

const setup = JSON.parse(process.argv[2] ?? '{}') as RaceSetup;
const clock = createFastClock(setup);
const tasks = remote<ReturnType<typeof createRaceTasks>>('tasks', (text) => new Error(text));
const instances = remote<InstanceStore>('instances', (text) => new Error(text));
const ignore = (): undefined => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** As the SDK tells them: a refusal has a fault of the client's, a lost answer has none. */
function cloudFailure(text: string): Error {
  const refused = text.includes('refused: ');
  const cause = Object.assign(new Error(text), {
    name: text.includes('InvalidInstanceId') ? 'InvalidInstanceId' : 'TimeoutError',
    ...(refused ? { $fault: 'client' } : {}),
  });
  return new BgAgentError('COMPUTE_UNAVAILABLE', text, { cause });
}

function orchestrator(at: number): Ec2Compute {
  return createEc2Compute({
    cloud: remote<Cloud>('cloud', cloudFailure, { payloadLocation: (key) => key }),
    instances,
    fleet: 'octo',
    pools: poolsOf({ 't4g.large/on-demand': 'octo-group' }),
    image: 'image',
    apiUrl: () => 'http://platform.example',
    limits: {
      reuse: setup.reuse,
      // Seldom where time is fast: a look at the fleet by each of so many is most of the work.
      sweepMs: setup.reuse && setup.speed > 100 ? 60_000 : 15_000,
      watchMs: 10 * 60_000,
      pollMs: 1_000,
      lostAnswerMs: 5_000,
      idleMs: 30_000,
    },
    owner: `${process.pid}-${at}`,
    newKey: () => randomBytes(8).toString('hex'),
    now: clock.now,
    random: Math.random,
    delay: clock.delay,
    events: { sessionEnded: ignore, capacityFreed: ignore },
    log: silent,
  });
}

/** Until it works: lost answers and throttling pass. */
async function insisting<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === 50) throw error;
      await clock.delay(500 + 1_000 * Math.random());
    }
  }
}

const sessionOf = (taskId: string, attempt: number) => ({
  type: 'ec2',
  id: `${taskId}-${attempt}`,
  ref: null,
});

async function end(compute: Ec2Compute, session: Session): Promise<void> {
  await insisting(() => compute.stop(session, { graceMs: 5_000 }));
  await insisting(() => compute.cleanUp(session));
}

async function drive(compute: Ec2Compute, { taskId, attempt }: Job): Promise<void> {
  const session = sessionOf(taskId, attempt);
  for (let earlier = 1; earlier < attempt; earlier += 1) await end(compute, sessionOf(taskId, earlier));
  const deadlineAtMs = clock.now() + 3_600_000;
  const spec = { taskId, attempt, token: 'token', readOnly: false, instanceType: null, deadlineAtMs };
  while ((await insisting(() => compute.start(spec))).kind !== 'started')
    await clock.delay(5_000 + 15_000 * Math.random());
  for (let looks = 1; ; looks += 1) {
    const state = await tasks.state(taskId, attempt);
    if (state === 'stale') return;
    if (state === 'reported') break;
    const seen = await insisting(() => compute.describe(session, { fresh: looks % 5 === 0 }));
    if (seen.kind !== 'running' || looks > 60) {
      // It may have reported since: then the next look ends it.
      if ((await tasks.state(taskId, attempt)) !== 'running') continue;
      await tasks.retry(taskId, attempt);
      return;
    }
    await clock.delay(1_000);
  }
  await end(compute, session);
  await tasks.finish(taskId, attempt);
}

/** As the platform's reconciler of orphans does: sessions that nobody wants are ended. */
async function endOrphans(compute: Ec2Compute): Promise<void> {
  for (const session of await insisting(() => compute.list())) {
    const [taskId = '', attempt = ''] = session.id.split('-');
    if ((await tasks.state(taskId, Number(attempt))) === 'stale') await end(compute, session);
  }
}

async function work(at: number): Promise<void> {
  const compute = orchestrator(at);
  compute.attach();
  for (;;) {
    const job = await tasks.take();
    if (job === 'over') break;
    if (job !== 'wait') await drive(compute, job);
    else await (at === 0 ? endOrphans(compute) : clock.delay(5_000));
  }
  if (at === 0) await endOrphans(compute);
  await compute.close();
}

await Promise.all(Array.from({ length: setup.orchestrators }, (_, at) => work(at)));
process.disconnect();
