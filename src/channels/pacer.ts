/**
 * Keeps an adapter from sending faster than its service likes: by key (a channel, a workspace), one every `intervalMs`, with a
 * few at once after a silence. Whoever must wait gets a time of its own, so that nobody comes back in vain.
 */
export interface Pacer {
  /** When `id` may go, in milliseconds since 1970: not after now = at once. The same id keeps its time until it has come. */
  reserve(key: string, id: string): number;
  /** Nobody of this key goes before that time: the service said so. */
  hold(key: string, untilMs: number): void;
}

/** Keys and waiting ids remembered, at most: what is forgotten goes at once. */
const REMEMBERED = 20_000;

export function createPacer({
  now,
  intervalMs,
  burst,
}: {
  now: () => number;
  intervalMs: number;
  /** How many may go at once after a silence. */
  burst: number;
}): Pacer {
  /** When the next one of a key would go if none went at once. */
  const nextByKey = new Map<string, number>();
  const held = new Map<string, number>();
  const waiting = new Map<string, number>();

  const tidy = (map: Map<string, number>): void => {
    if (map.size < REMEMBERED) return;
    const at = now();
    for (const [key, time] of map) if (time <= at || map.size >= REMEMBERED) map.delete(key);
  };

  return {
    reserve(key, id) {
      const at = now();
      const notBefore = held.get(key) ?? 0;
      const reserved = waiting.get(id);
      if (reserved !== undefined) {
        const time = Math.max(reserved, notBefore);
        if (time <= at) waiting.delete(id);
        return time;
      }
      tidy(nextByKey);
      tidy(waiting);
      const next = nextByKey.get(key) ?? 0;
      const time = Math.max(at, next - (burst - 1) * intervalMs, notBefore);
      nextByKey.set(key, Math.max(next, at) + intervalMs);
      if (time > at) waiting.set(id, time);
      return time;
    },

    hold(key, untilMs) {
      tidy(held);
      held.set(key, Math.max(held.get(key) ?? 0, untilMs));
    },
  };
}
