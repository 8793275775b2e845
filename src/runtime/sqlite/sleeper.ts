import type { ExecutionTable } from './executions.ts';

/** One timer for all that is parked: it rings when the nearest is due. Due times are in the database, so they outlive the process. */
export interface Sleeper {
  /** Something was parked until then. */
  parked(wakeAt: number | null): void;
  /** Looks again: handlers were registered. */
  look(): void;
  stop(): void;
}

const BATCH = 200;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export function createSleeper({
  table,
  names,
  now,
  wake,
}: {
  table: Pick<ExecutionTable, 'due' | 'nextWakeAt'>;
  /** Handlers whose executions may be woken. */
  names: () => readonly string[];
  now: () => number;
  /** Must take the execution out of what is due. */
  wake: (id: string) => Promise<void>;
}): Sleeper {
  let timer: NodeJS.Timeout | undefined;
  let ringsAt = Infinity;
  let stopped = false;

  function ringAt(at: number): void {
    if (stopped || at >= ringsAt) return;
    clearTimeout(timer);
    ringsAt = at;
    timer = setTimeout(() => void ring(), Math.min(Math.max(0, at - now()), MAX_TIMEOUT_MS));
    timer.unref();
  }

  async function ring(): Promise<void> {
    ringsAt = Infinity;
    if (stopped) return;
    await Promise.all(table.due(names(), now(), BATCH).map(wake));
    if (!stopped) ringAt(table.nextWakeAt(names()) ?? Infinity);
  }

  return {
    parked: (wakeAt) => ringAt(wakeAt ?? Infinity),
    look: () => ringAt(table.nextWakeAt(names()) ?? Infinity),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
