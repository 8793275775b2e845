import { BgAgentError } from '../../task/errors.ts';

/** Waits that everyone with the same credentials shares: what one was told holds for all. */
export interface Pace {
  /** Waits until the credentials may be used again. Throws GITHUB_RATE_LIMITED when that takes too long. */
  open(key: string): Promise<void>;
  /** Waits for a turn to create content. */
  takeTurn(key: string): Promise<void>;
  /** GitHub said to wait. */
  close(key: string, waitMs: number): void;
  /** Limits met in a row. */
  hits(key: string): number;
  /** GitHub took a call. */
  passed(key: string): void;
}

const WINDOW_MS = 60_000;

export function createPace({
  now,
  sleep,
  contentPerMinute,
  maxWaitMs,
}: {
  now: () => number;
  sleep(ms: number): Promise<void>;
  contentPerMinute: number;
  maxWaitMs: number;
}): Pace {
  const closed = new Map<string, { untilMs: number; hits: number }>();
  const turns = new Map<string, number[]>();

  return {
    async open(key) {
      for (;;) {
        const waitMs = (closed.get(key)?.untilMs ?? 0) - now();
        if (waitMs <= 0) return;
        if (waitMs > maxWaitMs) throw limited(waitMs);
        await sleep(waitMs);
      }
    },
    async takeTurn(key) {
      // The turn is taken before the wait, so that two who ask at once don't get the same one.
      const taken = (turns.get(key) ?? []).filter((at) => at > now() - WINDOW_MS);
      const oldest = taken.at(-contentPerMinute);
      const at = Math.max(now(), oldest === undefined ? 0 : oldest + WINDOW_MS);
      turns.set(key, [...taken, at]);
      if (at > now()) await sleep(at - now());
    },
    close(key, waitMs) {
      const before = closed.get(key);
      const untilMs = Math.max(before?.untilMs ?? 0, now() + waitMs);
      closed.set(key, { untilMs, hits: (before?.hits ?? 0) + 1 });
    },
    hits: (key) => closed.get(key)?.hits ?? 0,
    passed: (key) => void closed.delete(key),
  };
}

const limited = (waitMs: number): BgAgentError => {
  const seconds = Math.ceil(waitMs / 1_000);
  return new BgAgentError('GITHUB_RATE_LIMITED', `GitHub takes no more requests for ${seconds} s`, {
    retryAfterSeconds: seconds,
  });
};
