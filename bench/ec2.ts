import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { SessionSpec } from '../src/compute/strategy.ts';
import { createIdSource } from '../src/task/ids.ts';
import { anInstance, aSession } from '../test/contracts/instance-store.contract.ts';
import { createFleetSimulator } from '../test/fakes/fleet/simulator.ts';
import { ec2On, openInstances } from '../test/fixtures/ec2-fleet.ts';
import { type Bench, type Figure, figureOf, percentile, round } from './figure.ts';
import { createTagAndVerify } from './peers/tag-and-verify.ts';

/** What the EC2 backend asks of AWS, counted where requests arrive, and how long a dispatch takes, on the simulated fleet. */
export const benches: Bench[] = [
  { name: 'ec2_calls_per_dispatch', also: ['dispatch_ms'], run: measureDispatch },
  { name: 'ec2_calls_per_running_hour', run: measureHour },
  { name: 'ec2_describe_calls_per_1000_sessions', run: measureThousand },
];

const DISPATCHES = 200;
const WARM_UP = 20;
const ANSWER_MS = 10;
const POOL = 't4g.large/on-demand';
const LOOK_PAUSE_MS = 300_000;
const LOOKS_AN_HOUR = 12;
const newId = createIdSource(Date.now);

const aSpec = (): SessionSpec => ({
  taskId: newId(),
  attempt: 1,
  token: 'token',
  readOnly: false,
  instanceType: null,
  deadlineAtMs: Date.now() + 3_600_000,
});

/** One machine that is idle; commands are taken and never reach it. */
async function openFleet(pause?: (ms: number) => Promise<void>) {
  const simulator = await createFleetSimulator({
    groups: [{ name: 'octo-group', max: 1, desired: 1 }],
    runner: ['true'],
    pageSize: 50,
  });
  simulator.modes.deliver = ({ document }) =>
    document === 'start' ? new Promise(() => undefined) : Promise.resolve();
  const store = await openInstances();
  const compute = ec2On(simulator, {
    instances: store.instances,
    apiUrl: () => 'http://127.0.0.1:1',
    groups: { [POOL]: 'octo-group' },
    limits: { warmIdle: 1, watchMs: 300_000 },
    ...(pause ? { delay: pause } : {}),
  });
  compute.attach();
  while ((await store.instances.idle('octo', POOL)).length === 0) await delay(20);
  const count = (...actions: string[]): number =>
    actions.reduce((sum, action) => sum + (simulator.calls.get(action) ?? 0), 0);
  return {
    simulator,
    instances: store.instances,
    compute,
    count,
    async close() {
      await compute.close();
      await simulator.close();
      await store.close();
    },
  };
}

const total = (calls: ReadonlyMap<string, number>): number =>
  [...calls.values()].reduce((sum, each) => sum + each, 0);

async function measureDispatch(): Promise<Figure[]> {
  const fleet = await openFleet();
  const { simulator, instances, compute } = fleet;
  const peer = createTagAndVerify({ endpoint: simulator.endpoint, fleet: 'octo', bucket: 'octo-payloads' });
  const ours: number[] = [];
  const theirs: number[] = [];
  let calls = 0;
  // As long as AWS takes within a region: calls are what a dispatch waits for.
  simulator.modes.answerMs = ANSWER_MS;
  try {
    for (let at = -WARM_UP; at < DISPATCHES; at += 1) {
      const spec = aSpec();
      const parameters = {
        Payload: [`s3://octo-payloads/payloads/${spec.taskId}`],
        Task: [spec.taskId],
        Epoch: ['1'],
        executionTimeout: ['3600'],
      };
      // By turns, so that a busy machine slows both.
      let began = performance.now();
      await peer.dispatch(spec.taskId, parameters);
      if (at >= 0) theirs.push(performance.now() - began);

      const before = new Map(simulator.calls);
      began = performance.now();
      const answer = await compute.start(spec);
      if (at >= 0) ours.push(performance.now() - began);
      if (answer.kind !== 'started') throw new Error(answer.reason);
      const onPath = [
        'PUT object',
        'SendCommand',
        'ListCommands',
        'DescribeInstances',
        'GetCommandInvocation',
      ];
      if (at >= 0)
        calls += onPath.reduce(
          (sum, action) => sum + (simulator.calls.get(action) ?? 0) - (before.get(action) ?? 0),
          0,
        );
      // What a dispatch does aside is over before the next one.
      await delay(30);
      await instances.release(`${spec.taskId}-1`, 'idle');
      await instances.forget(`${spec.taskId}-1`);
    }
  } finally {
    peer.close();
    await fleet.close();
  }
  return [
    {
      ...counted('ec2_calls_per_dispatch', calls / DISPATCHES, '', DISPATCHES),
      ratio_to: 'tag and verify: 5 calls',
      ratio: round(calls / DISPATCHES / 5),
    },
    figureOf('dispatch_ms', 'ms', ours, { to: 'tag and verify', value: percentile(theirs, 50) }),
  ];
}

/** The fleet's looks at what runs, five minutes apart: each is taken when it's allowed. */
function createLooks() {
  let taken = 0;
  let allowed = 0;
  let open: (() => void) | undefined;
  return {
    taken: () => taken,
    allow(count: number): void {
      allowed = count;
      open?.();
    },
    async wait(ms: number): Promise<void> {
      if (ms !== LOOK_PAUSE_MS) return delay(ms, undefined, { ref: false });
      if (taken === allowed)
        await new Promise<void>((resolve) => {
          open = resolve;
        });
      taken += 1;
    },
  };
}

async function measureHour(): Promise<Figure[]> {
  const looks = createLooks();
  const fleet = await openFleet(looks.wait);
  try {
    const answer = await fleet.compute.start(aSpec());
    if (answer.kind !== 'started') throw new Error(answer.reason);
    // What a dispatch does aside is its own.
    await delay(500);
    const before = total(fleet.simulator.calls);
    looks.allow(LOOKS_AN_HOUR);
    for (let at = 0; at < LOOKS_AN_HOUR; at += 1) await fleet.compute.describe(answer.session);
    while (looks.taken() < LOOKS_AN_HOUR) await delay(20);
    await delay(500);
    return [counted('ec2_calls_per_running_hour', total(fleet.simulator.calls) - before, '', LOOKS_AN_HOUR)];
  } finally {
    looks.allow(0);
    await fleet.close();
  }
}

async function measureThousand(): Promise<Figure[]> {
  const looks = createLooks();
  const fleet = await openFleet(looks.wait);
  try {
    const [instanceId = ''] = fleet.simulator.instances.keys();
    for (let at = 0; at < 1_000; at += 1) {
      const taskId = newId();
      const machine = anInstance({ instanceId: `i-${at}` });
      await fleet.instances.add(machine);
      const command = fleet.simulator.commands.send({
        DocumentName: 'octo-fleet-start',
        InstanceIds: [instanceId],
        Parameters: { Payload: ['s3://octo-payloads/payloads/x'], Task: [taskId], Epoch: ['1'] },
        Comment: taskId,
        TimeoutSeconds: 60,
      });
      await fleet.instances.claim(
        aSession({
          taskId,
          instanceId: machine.instanceId,
          commandId: command.id,
          expiresAtMs: Date.now() + 1e9,
        }),
      );
    }
    const before = total(fleet.simulator.calls);
    // Two looks, five minutes each: the commands, and the machines.
    looks.allow(2);
    while (looks.taken() < 2) await delay(20);
    await delay(2_000);
    const calls = total(fleet.simulator.calls) - before;
    return [counted('ec2_describe_calls_per_1000_sessions', calls / 10, '1/min', 1_000)];
  } finally {
    looks.allow(0);
    await fleet.close();
  }
}

const counted = (name: string, value: number, unit: string, n: number): Figure => ({
  name,
  value: round(value),
  unit,
  p50: null,
  p99: null,
  n,
  ratio_to: null,
  ratio: null,
});
