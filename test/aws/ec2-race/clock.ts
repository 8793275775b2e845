import { setTimeout as delay } from 'node:timers/promises';

/** Time that runs faster than it is, the same for all processes of a race: what takes seconds there takes milliseconds here. */
export interface FastClock {
  now(): number;
  delay(ms: number): Promise<void>;
}

export function createFastClock({ startedAtMs, speed }: { startedAtMs: number; speed: number }): FastClock {
  return {
    now: () => startedAtMs + (Date.now() - startedAtMs) * speed,
    delay: (ms) => delay(ms / speed),
  };
}
