/** One sleeper that is woken by whoever has news; news that come while it is awake are kept for its next sleep. */
export interface Signal {
  raise(): void;
  /** Resolves with true at the next `raise` (at once after one that nobody slept through), with false after `ms`. */
  wait(ms: number): Promise<boolean>;
}

/** Longest that a timer can be set for. */
const LONGEST_MS = 2_000_000_000;

export function createSignal(): Signal {
  let raised = false;
  let wake: (() => void) | undefined;
  return {
    raise() {
      raised = true;
      wake?.();
    },
    async wait(ms) {
      if (!raised) {
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
          timer = setTimeout(resolve, Math.min(Math.max(0, ms), LONGEST_MS));
        });
        clearTimeout(timer);
        wake = undefined;
      }
      const news = raised;
      raised = false;
      return news;
    },
  };
}
