import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Stores } from '../stores/stores.ts';
import type { TaskEvent } from '../task/events.ts';
import { LIVE_STATUSES, TERMINAL_EVENT } from '../task/status.ts';

/** What happened in this process since it started, and how things stand, in Prometheus' text format. */
export interface Metrics {
  /** A request was answered. `route`: the path as the document has it, so that ids don't make endless series. */
  request(labels: { method: string; route: string; status: number }, seconds: number): void;
  /** A reconciler changed something. */
  reconciled(reconciler: string, changed: number): void;
  /** Everything, looked up now. */
  text(): Promise<{ contentType: string; body: string }>;
}

/** Live tasks counted of each status; more than that is shown as this many. */
const MOST_COUNTED = 10_000;
const FEED_PAGE = 500;
/** Events read in one look; the rest is read by the next one. */
const MOST_READ = 20_000;

const TERMINAL_TYPES: ReadonlySet<string> = new Set(Object.values(TERMINAL_EVENT));
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const TASK_SECONDS = [10, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800];

export interface MetricsOptions {
  stores: Pick<Stores, 'tasks' | 'events'>;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Events after this id are counted. */
  since: string;
}

/**
 * Tasks are counted from their events, read when someone looks: nothing is written or held for a metric that nobody asks for, and
 * every process that looks sees what all of them did since it started.
 */
export function createMetrics({ stores, now, since }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const tasks = new Gauge({
    name: 'bgagent_tasks',
    help: 'Tasks that have not ended, by status.',
    labelNames: ['status'],
    registers,
  });
  const oldest = new Gauge({
    name: 'bgagent_queue_oldest_seconds',
    help: 'Age of the oldest queued task; 0 when none is queued.',
    registers,
  });
  const slots = new Gauge({
    name: 'bgagent_slots_held',
    help: 'Concurrency slots that are held.',
    registers,
  });
  const ended = new Counter({
    name: 'bgagent_tasks_ended_total',
    help: 'Tasks that ended since the start of this process, by status and error code.',
    labelNames: ['status', 'agent', 'compute_type', 'error_code'],
    registers,
  });
  const created = new Counter({
    name: 'bgagent_tasks_created_total',
    help: 'Tasks that were accepted since the start of this process, by channel.',
    labelNames: ['channel'],
    registers,
  });
  const duration = new Histogram({
    name: 'bgagent_task_duration_seconds',
    help: 'From the start of the session to the end of the task.',
    labelNames: ['status'],
    buckets: TASK_SECONDS,
    registers,
  });
  const queued = new Histogram({
    name: 'bgagent_task_queued_seconds',
    help: 'How long tasks that ended had waited for a slot.',
    buckets: [0.1, 1, ...TASK_SECONDS],
    registers,
  });
  const cost = new Counter({
    name: 'bgagent_model_cost_usd_total',
    help: 'What the models of ended tasks cost, as the gateway counted it, in US dollars.',
    labelNames: ['agent'],
    registers,
  });
  const requests = new Histogram({
    name: 'bgagent_api_request_duration_seconds',
    help: 'Requests of the API, by route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: REQUEST_SECONDS,
    registers,
  });
  const reconciled = new Counter({
    name: 'bgagent_reconciler_changes_total',
    help: 'What reconcilers changed since the start of this process.',
    labelNames: ['reconciler'],
    registers,
  });

  const ageOf = (at: string | null | undefined): number =>
    at == null ? 0 : Math.max(0, now() - Date.parse(at)) / 1_000;
  let cursor = since;
  let looking: Promise<void> | undefined;

  async function readFeed(): Promise<void> {
    for (let read = 0; read < MOST_READ; ) {
      const events = await stores.events.feed(cursor, FEED_PAGE);
      for (const event of events) {
        await count(event);
        cursor = event.event_id;
      }
      read += events.length;
      if (events.length < FEED_PAGE) return;
    }
  }

  async function count({ event_type, task_id }: TaskEvent): Promise<void> {
    const isEnd = TERMINAL_TYPES.has(event_type);
    const task = isEnd || event_type === 'task_created' ? await stores.tasks.get(task_id) : undefined;
    if (!task) return;
    if (!isEnd) {
      created.inc({ channel: task.channel_source });
      return;
    }
    const { status, agent, compute_type, error_classification, started_at, completed_at, cost_usd } = task;
    ended.inc({ status, agent, compute_type, error_code: error_classification?.errorClass ?? '' });
    if (started_at !== null && completed_at !== null)
      duration.observe({ status }, Math.max(0, Date.parse(completed_at) - Date.parse(started_at)) / 1_000);
    if (task.timings.queued_ms !== null) queued.observe(task.timings.queued_ms / 1_000);
    if (cost_usd !== null && cost_usd > 0) cost.inc({ agent }, cost_usd);
  }

  async function look(): Promise<void> {
    await readFeed();
    const counts = await Promise.all(
      LIVE_STATUSES.map(async (status) => ({
        status,
        tasks: await stores.tasks.listByStatus([status], MOST_COUNTED),
      })),
    );
    for (const { status, tasks: found } of counts) {
      tasks.set({ status }, found.length);
      if (status === 'QUEUED') oldest.set(ageOf(found[0]?.queued_at));
    }
    slots.set((await stores.tasks.slots()).length);
  }

  return {
    request: ({ method, route, status }, seconds) =>
      requests.observe({ method, route, status: String(status) }, seconds),
    reconciled: (reconciler, changed) => reconciled.inc({ reconciler }, changed),
    async text() {
      // Two that look at once see the same, and nothing is counted twice.
      looking ??= look().finally(() => {
        looking = undefined;
      });
      await looking;
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}
