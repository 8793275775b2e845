import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Channel } from '../src/channels/channel.ts';
import { startFanOut } from '../src/events/fan-out.ts';
import { openDatabase } from '../src/sqlite/open.ts';
import { createSqliteStores, storeMigrations } from '../src/stores/sqlite/stores.ts';
import type { Stores } from '../src/stores/stores.ts';
import type { NewEvent } from '../src/task/events.ts';
import { createIdSource } from '../src/task/ids.ts';
import { runStorm } from '../test/e2e/storm.ts';
import { aCreation } from '../test/fixtures/events.ts';
import { random } from '../test/fixtures/random.ts';
import { createSlackRoom, type SlackRoom } from '../test/fixtures/slack.ts';
import { aTask } from '../test/fixtures/task.ts';
import { type Bench, type Figure, figureOf, round } from './figure.ts';

const TASKS = 500;
const DELIVERIES = 10_000;
const RATE = 100;
const STORM = { tasks: 500, eventsPerTask: 20, kills: 20 };

const started: NewEvent = {
  type: 'session_started',
  metadata: { session_id: 's', compute_type: 'local', attempt: 1 },
};

const ignore = (): undefined => undefined;

const newTaskId = createIdSource(() => Date.parse('2029-12-31T00:00:00.000Z'));

async function createTasks(
  stores: Stores,
  fields: (n: number) => Partial<ReturnType<typeof aTask>>,
): Promise<string[]> {
  const ids = Array.from({ length: TASKS }, newTaskId);
  await Promise.all(
    ids.map((task_id, n) => stores.tasks.create(aTask({ ...fields(n), task_id }), [aCreation])),
  );
  return ids;
}

/** Events that are all there already, to a channel that takes them at once: how fast the ledger moves them. */
async function throughput(): Promise<Figure> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-bench-'));
  const database = await openDatabase({ file: join(folder, 'bench.db'), migrations: [storeMigrations] });
  const stores = createSqliteStores({ database, now: Date.now });
  const ids = await createTasks(stores, () => ({}));
  for (let n = TASKS; n < DELIVERIES; n += TASKS)
    await Promise.all(ids.map((id) => stores.tasks.update(id, { patch: {} }, [started])));
  const { promise: all, resolve } = Promise.withResolvers<void>();
  let taken = 0;
  const sink: Channel = {
    name: 'sink',
    renders: ['task_created', 'session_started'],
    concurrency: 256,
    wants: () => true,
    defaults: ['task_created', 'session_started'],
    async deliver() {
      taken += 1;
      if (taken === DELIVERIES) resolve();
      return { kind: 'sent', note: null };
    },
  };
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const start = performance.now();
  const fanOut = await startFanOut({ stores, channels: [sink], log, now: Date.now, owner: 'bench' });
  await all;
  while ((await stores.deliveries.list({ state: 'claimed', limit: 1 })).items.length > 0) await delay(1);
  const seconds = (performance.now() - start) / 1_000;
  await fanOut.stop();
  await database.close();
  await rm(folder, { recursive: true });
  return {
    name: 'fanout_throughput',
    value: round(DELIVERIES / seconds),
    unit: '1/s',
    p50: null,
    p99: null,
    n: DELIVERIES,
    ratio_to: null,
    ratio: null,
  };
}

/** From the commit of an event to the arrival of its message at a Slack server on this machine, at a steady rate. */
async function eventToPost(): Promise<Figure> {
  const room = await createSlackRoom();
  const { stores, server, channel } = room;
  const ids = await createTasks(stores, () => ({
    channel_source: 'slack',
    channel_metadata: { team_id: 'T1', channel_id: 'C1', user_id: 'U1' },
  }));
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const arrivals = watchArrivals(server);
  const fanOut = await startFanOut({ stores, channels: [channel], log, now: Date.now, owner: 'bench' });
  await arrivals.count(TASKS);
  const wrote = new Map<string, number>();
  const begin = performance.now();
  for (let n = 0; n < TASKS; n++) {
    const due = begin + (n * 1_000) / RATE;
    if (due > performance.now()) await delay(due - performance.now());
    const id = ids[n] ?? '';
    void stores.tasks.update(id, { patch: {} }, [errorEvent]).then(async () => {
      const at = performance.now();
      const { items } = await stores.events.list(id, { limit: 1, desc: true });
      wrote.set(items[0]?.event_id ?? '', at);
    });
  }
  await arrivals.count(TASKS + TASKS);
  await fanOut.stop();
  const samples = [...wrote].flatMap(([id, at]) => {
    const arrived = arrivals.at.get(id);
    return arrived === undefined ? [] : [Math.max(0, arrived - at)];
  });
  await room.close();
  return figureOf('event_to_post_ms', 'ms', samples);
}

const errorEvent: NewEvent = {
  type: 'agent_error',
  metadata: { error_type: 'tool_failed', preview: 'exit code 1' },
};

/** When each event's message arrived: the server's list of calls, looked at as it grows. */
function watchArrivals(server: SlackRoom['server']) {
  const at = new Map<string, number>();
  const waiting: { count: number; resolve(): void }[] = [];
  server.chance = (method) => {
    if (method !== 'chat.postMessage') return undefined;
    const { metadata = '{}' } = server.calls.at(-1)?.args ?? {};
    at.set(JSON.parse(metadata).event_payload?.event_id, performance.now());
    for (const one of waiting) if (at.size >= one.count) one.resolve();
    return undefined;
  };
  return {
    at,
    count: (count: number) =>
      new Promise<void>((resolve) => {
        if (at.size >= count) resolve();
        else waiting.push({ count, resolve });
      }),
  };
}

/** Calls of Slack's API for each message that is seen in the end, compared with the same tasks when nothing fails. */
async function amplification(): Promise<Figure> {
  const callsPerMessage = async (failing: number, kills: number): Promise<{ value: number; n: number }> => {
    const storm = await runStorm({ ...STORM, kills, failing, random: random(1) });
    const seen = new Set(
      storm.slack.messages.flatMap(({ metadata }) => (metadata ? [metadata.event_payload.event_id] : [])),
    );
    const value = round(storm.slack.calls.length / seen.size);
    await storm.close();
    return { value, n: seen.size };
  };
  const least = await callsPerMessage(0, 0);
  const storm = await callsPerMessage(0.2, STORM.kills);
  return {
    name: 'fanout_amplification',
    value: storm.value,
    unit: 'x',
    p50: null,
    p99: null,
    n: storm.n,
    ratio_to: 'the same without failures',
    ratio: round(storm.value / least.value),
  };
}

export const benches: Bench[] = [
  { name: 'fanout_throughput', run: async () => [await throughput()] },
  { name: 'event_to_post_ms', run: async () => [await eventToPost()] },
  { name: 'fanout_amplification', run: async () => [await amplification()] },
];
