import type { Channel } from '../channels/channel.ts';
import type { NewDelivery } from '../stores/delivery-store.ts';
import type { Stores } from '../stores/stores.ts';
import { messageOf } from '../task/errors.ts';
import type { TaskEvent } from '../task/events.ts';
import type { Log } from '../task/log.ts';
import type { RepoConfig } from '../task/repo.ts';
import type { Task } from '../task/task.ts';
import { type Loop, startLoop } from './loop.ts';
import { effectiveType, type RoutingProblem, route } from './routing.ts';
import { createSignal } from './signal.ts';

/** The one reader of events; its cursor's name in the ledger. */
const READER = 'fan-out';

/** Events read at once. */
const BATCH = 500;
/** Events without a delivery after which the cursor is written nevertheless, so that a restart reads few of them again. */
const UNWRITTEN = 2_000;
/** Silence after which it is written, too. */
const QUIET_MS = 200;
/** How often the reader looks without a hint, in milliseconds. */
const SAFETY_POLL_MS = 30_000;

interface FeedOptions {
  stores: Pick<Stores, 'events' | 'tasks' | 'repos' | 'deliveries'>;
  channels: readonly Channel[];
  log: Log;
}

/** Reads every event once, in order, and writes what each channel is to say of it into the ledger. */
export function startFeedReader({ stores, channels, log }: FeedOptions): Loop {
  const signal = createSignal();
  const routable = new Set(channels.flatMap(({ renders }) => renders));
  const warn = createWarner(log);

  async function readOn(isStopped: () => boolean): Promise<void> {
    let cursor = await stores.deliveries.cursor(READER);
    let unwritten = 0;
    while (!isStopped()) {
      const events = await stores.events.feed(cursor, BATCH);
      const last = events.at(-1);
      if (!last) {
        const news = await signal.wait(unwritten > 0 ? QUIET_MS : SAFETY_POLL_MS);
        if (!news && unwritten > 0) {
          await stores.deliveries.append([], { reader: READER, cursor });
          unwritten = 0;
        }
        continue;
      }
      const rows = await routeAll(events);
      cursor = last.event_id;
      unwritten += events.length;
      if (rows.length > 0 || unwritten >= UNWRITTEN) {
        await stores.deliveries.append(rows, { reader: READER, cursor });
        unwritten = 0;
      }
    }
  }

  /** Tasks and repositories are read once a batch: what is said of their notifications is as of now. */
  async function routeAll(events: readonly TaskEvent[]): Promise<NewDelivery[]> {
    const tasks = new Map<string, Promise<Task | undefined>>();
    const repos = new Map<string, Promise<RepoConfig | undefined>>();
    const rows: NewDelivery[] = [];
    for (const event of events) {
      if (!routable.has(effectiveType(event, routable))) continue;
      const task = await remembered(tasks, event.task_id, stores.tasks.get);
      if (!task) continue;
      const repo = await remembered(repos, task.repo, stores.repos.get);
      const { deliveries, problems } = route(event, { task, repo }, channels);
      rows.push(...deliveries);
      for (const problem of problems) warn(problem, task.task_id);
    }
    return rows;
  }

  return startLoop({
    signal,
    subscribe: stores.events.subscribeAll,
    work: readOn,
    failed: (error) =>
      log.error(
        { event: 'fanout.feed.failed', error_id: 'FANOUT_FEED_FAILED', error: messageOf(error) },
        'the feed of events could not be read; trying again',
      ),
  });
}

function remembered<T>(
  known: Map<string, Promise<T>>,
  key: string,
  read: (key: string) => Promise<T>,
): Promise<T> {
  const value = known.get(key) ?? read(key);
  known.set(key, value);
  return value;
}

/** Says each problem once a task, for the latest tasks. */
function createWarner(log: Log): (problem: RoutingProblem, taskId: string) => void {
  const said = new Set<string>();
  return ({ kind, channel, detail }, taskId) => {
    const key = `${taskId} ${kind} ${channel}`;
    if (said.has(key)) return;
    if (said.size >= 10_000) said.clear();
    said.add(key);
    log.warn(
      { event: `fanout.routing.${kind}`, task_id: taskId, channel, detail },
      'notifications need a look',
    );
  };
}
