import { createEcsCompute } from '../src/compute/ecs/ecs.ts';
import type { Handover } from '../src/compute/handover.ts';
import { createFakeEcs } from '../test/fakes/ecs.ts';
import type { Bench, Figure } from './figure.ts';

/** Calls of DescribeTasks a minute, counted at the HTTP layer, while every session is looked at as the workflows do. */

const SESSIONS = 1_000;
const POLL_MS = 30_000;
const SAFETY_POLL_MS = 300_000;
/** A minute passes so many times faster. */
const SPEED = 30;

async function callsAMinute(sessions: number): Promise<number> {
  const cloud = await createFakeEcs({
    folder: '/nonexistent',
    capacity: 0,
    command: () => ['true'],
    environment: {},
    stopTimeoutMs: 0,
  });
  const none = () => Promise.reject(new Error('not used'));
  const handover: Handover = { put: none, has: none, list: none, remove: none };
  const startedAt = performance.now();
  const now = () => (performance.now() - startedAt) * SPEED;
  const compute = createEcsCompute({
    client: cloud.client,
    cluster: 'octo',
    taskDefinition: 'bgagent-runner',
    container: 'runner',
    capacityProvider: 'FARGATE',
    subnets: [],
    securityGroups: [],
    assignPublicIp: false,
    readOnlySize: null,
    handover,
    events: { sessionEnded: () => undefined, capacityFreed: () => undefined },
    pollMs: POLL_MS / SPEED,
    now: () => performance.now() - startedAt,
    log: { warn: () => undefined },
  });
  // Tasks that the fake doesn't know count as just started, so as running.
  const all = Array.from({ length: sessions }, (_, n) => ({
    type: 'ecs',
    id: `01ARZ3NDEKTSV4RRFFQ69G5FAV-${n + 1}`,
    ref: { taskArn: `arn:aws:ecs:us-east-1:123456789012:task/octo/${n}`, startedAtMs: 0 },
  }));
  try {
    await Promise.all(all.map((session) => compute.describe(session)));
    const before = cloud.calls.length;
    const until = now() + 60_000;
    // Each workflow looks once in a safety poll, at a time of its own.
    const pauseMs = SAFETY_POLL_MS / sessions / SPEED;
    for (let n = 0; now() < until; n += 1) {
      const session = all[(n * 7_919) % sessions];
      if (session) await compute.describe(session);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    return cloud.calls.length - before;
  } finally {
    compute.close();
    await cloud.close();
  }
}

const figure = (name: string, value: number, n: number): Figure => ({
  name,
  value,
  unit: '1/min',
  p50: null,
  p99: null,
  n,
  // What each look of a workflow would cost by itself.
  ratio_to: 'a call for each look',
  ratio: Math.round((value / ((n * 60_000) / SAFETY_POLL_MS)) * 1_000) / 1_000,
});

export const benches: Bench[] = [
  {
    name: 'describe_calls_per_1000_sessions',
    also: ['describe_calls_per_100_sessions', 'describe_calls_per_3000_sessions'],
    async run() {
      return [
        figure('describe_calls_per_1000_sessions', await callsAMinute(SESSIONS), SESSIONS),
        figure('describe_calls_per_100_sessions', await callsAMinute(SESSIONS / 10), SESSIONS / 10),
        figure('describe_calls_per_3000_sessions', await callsAMinute(SESSIONS * 3), SESSIONS * 3),
      ];
    },
  },
];
