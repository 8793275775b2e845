export interface Backoff {
  /** Pause after the first failure, in milliseconds. Default 1,000. */
  baseMs: number;
  /** Longest pause that we choose ourselves. Default 300,000. */
  capMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { baseMs: 1_000, capMs: 300_000 };

/**
 * Pause before the next attempt: doubled at each failure, half of it at random, so that those who failed together don't come
 * back together. Never shorter than told by `retryAfterSeconds`, and a little longer at random for the same reason.
 */
export function pauseMs(
  { baseMs, capMs }: Backoff,
  {
    failures,
    retryAfterSeconds,
    random,
  }: { failures: number; retryAfterSeconds?: number | undefined; random: () => number },
): number {
  if (retryAfterSeconds !== undefined) return Math.ceil(retryAfterSeconds * 1_000 + random() * baseMs);
  const full = Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
  return Math.ceil(full / 2 + (random() * full) / 2);
}
