import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A heap that is no larger than this is left alone. */
const SMALL_HEAP_BYTES = 64 * 1024 * 1024;

/**
 * V8 keeps what a burst of work has made it take, long after the work is done: it collects garbage when it needs room, not when
 * it has time. Once nothing has been going on for a while, this collects it and gives the memory back to the system.
 */
export function createTrimmer({ quietMs, isQuiet }: { quietMs: number; isQuiet: () => boolean }): {
  /** Something has just ended. */
  touched(): void;
  stop(): void;
} {
  let timer: NodeJS.Timeout | undefined;
  return {
    touched() {
      // A timer that is re-armed costs next to nothing; a new one for each execution would.
      if (timer) timer.refresh();
      else
        timer = setTimeout(
          () => isQuiet() && process.memoryUsage().heapTotal > SMALL_HEAP_BYTES && collect(),
          quietMs,
        ).unref();
    },
    stop: () => clearTimeout(timer),
  };
}

/** A collection that also empties V8's pools; it takes some ten milliseconds. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: { type: string; execution: string; flavor: string }) => void;
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
