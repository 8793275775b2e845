import type { Database } from '../../sqlite/database.ts';
import type { ExecutionTable } from './executions.ts';

const DAY_MS = 86_400_000;
const INTERVAL_MS = 3_600_000;
/** Executions a unit, so that others needn't wait for it. */
const BATCH = 200;

/** Removes executions that ended long ago: soon after the start, and every hour. Its timer keeps the process alive. */
export function createRetention({
  database,
  table,
  retentionDays,
  sweepAfterMs,
  now,
  onError,
}: {
  database: Database;
  table: Pick<ExecutionTable, 'sweep'>;
  retentionDays: number;
  /** How long after the start it looks first. */
  sweepAfterMs: number;
  now: () => number;
  onError: (error: Error) => void;
}): { stop(): void } {
  let stopped = false;
  async function sweep(): Promise<void> {
    for (let removed = BATCH; removed >= BATCH && !stopped; ) {
      const results = await database.write(table.sweep(now() - retentionDays * DAY_MS, BATCH));
      removed = results.at(-1)?.changes ?? 0;
    }
  }
  const later = setInterval(() => void sweep().catch(onError), INTERVAL_MS);
  const soon = setTimeout(() => void sweep().catch(onError), sweepAfterMs);
  soon.unref();
  return {
    stop() {
      stopped = true;
      clearInterval(later);
      clearTimeout(soon);
    },
  };
}
