import type { Signal } from './signal.ts';

const AFTER_ERROR_MS = 1_000;

export interface Loop {
  /** Resolves when `work` has returned. */
  stop(): Promise<void>;
}

/** Has `work` go on until it's stopped; what it throws is told, and a moment later it begins again. */
export function startLoop({
  signal,
  subscribe,
  work,
  failed,
}: {
  signal: Signal;
  /** News wake it. Returns the way to end that. */
  subscribe(raise: () => void): () => void;
  work(isStopped: () => boolean): Promise<void>;
  failed(error: unknown): void;
}): Loop {
  const unsubscribe = subscribe(signal.raise);
  let stopped = false;

  async function run(): Promise<void> {
    while (!stopped) {
      try {
        await work(() => stopped);
      } catch (error) {
        if (stopped) return;
        failed(error);
        await signal.wait(AFTER_ERROR_MS);
      }
    }
  }

  const running = run();
  return {
    async stop() {
      stopped = true;
      unsubscribe();
      signal.raise();
      await running;
    },
  };
}
