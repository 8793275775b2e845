import type { OpenAnswer } from './answer.ts';
import type { GatewayOptions } from './gateway.ts';
import { NetworkFailure } from './upstreams/upstream.ts';

/** Tries of one call, the first included. */
const MOST_ATTEMPTS = 5;
const FIRST_WAIT_MS = 500;
/** A provider that asks for more is passed on to the agent, which then knows. */
const LONGEST_WAIT_MS = 60_000;
const PASSING = [408, 424, 429, 500, 502, 503, 504, 529];

export interface Attempts extends Required<Pick<GatewayOptions, 'random' | 'sleep' | 'log' | 'now'>> {
  signal: AbortSignal;
  /** One try. */
  send(): Promise<OpenAnswer>;
  /** A try got no answer. `reached`: the provider may have worked on it, and bill it. */
  onFailed(reached: boolean): void;
}

/** Repeats what may pass: waits as long as the provider says, else longer each time. */
export async function withRetries(attempts: Attempts): Promise<OpenAnswer> {
  const { signal, send, onFailed, log, now } = attempts;
  for (let attempt = 1; ; attempt += 1) {
    const last = attempt === MOST_ATTEMPTS;
    let why: string;
    let askedMs: number | null = null;
    try {
      const answer = await send();
      const passing = PASSING.includes(answer.status) || answer.failedAtOnce !== null;
      if (!passing || last || answer.headers['x-should-retry'] === 'false') return answer;
      askedMs = retryAfterMs(answer.headers['retry-after'], now());
      if (askedMs !== null && askedMs > LONGEST_WAIT_MS) return answer;
      why = answer.failedAtOnce ?? `status ${answer.status}`;
      answer.drop();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof NetworkFailure)) throw error;
      onFailed(error.reached);
      if (last) throw error;
      why = error.message;
    }
    const waitMs =
      askedMs ?? Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1)) * jitter(attempts.random());
    log({ event: 'gateway.retry', attempt, why, wait_ms: Math.round(waitMs) });
    await attempts.sleep(waitMs, signal);
  }
}

const jitter = (random: number): number => 0.75 + random / 2;

/** Seconds or a date; null when there is none that makes sense. */
export function retryAfterMs(value: string | undefined, now: number): number | null {
  if (value === undefined || value.trim() === '') return null;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(value) - now;
  return Number.isFinite(ms) && ms >= 0 ? ms : null;
}
