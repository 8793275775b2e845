import type { DurableContext } from '@aws/durable-execution-sdk-js';
import { BgAgentError, codeOf, type ErrorCode, messageOf } from '../task/errors.ts';

/** Why a task can't go on. Thrown by the workflow's parts, turned into the task's end in one place. */
export class TaskFailure extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'TaskFailure';
    this.code = code;
  }
}

type Settled<T> =
  | { ok: true; value: T }
  | { ok: false; code: ErrorCode; message: string; retryAfterSeconds?: number };

/** Failures of the surroundings that pass by themselves; everything else is decided at the first try. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set([
  'REPO_UNREACHABLE',
  'GITHUB_UNREACHABLE',
  'GITHUB_RATE_LIMITED',
  'SCREENING_UNAVAILABLE',
  'COMPUTE_UNAVAILABLE',
  'SERVICE_UNAVAILABLE',
  'INTERNAL_ERROR',
]);

export const isTransient = (code: ErrorCode): boolean => TRANSIENT.has(code);

/** Seconds between tries of a step that failed for a transient reason. */
const BACKOFF_SECONDS = [1, 4];
/** Longest wait that a server's own word for it leads to, in seconds. */
const LONGEST_WAIT_SECONDS = 3_600;

/**
 * A step whose errors keep their code: they are caught where they arise and recorded as values (an error that crosses a
 * checkpoint keeps only its name and text). Transient ones are tried again after `pause`, of at least the time that they name
 * themselves; then, or at once, TaskFailure.
 */
export async function settle<T>(
  ctx: DurableContext,
  name: string,
  work: () => Promise<T>,
  pause: (name: string, seconds: number) => Promise<void>,
  backoffSeconds: readonly number[] = BACKOFF_SECONDS,
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const result = await ctx.step<Settled<T>>(tries === 0 ? name : `${name} (try ${tries + 1})`, () =>
      toSettled(work),
    );
    if (result.ok) return result.value;
    const seconds = backoffSeconds[tries];
    // What nobody foresaw seldom passes with time.
    const isHopeless = result.code === 'INTERNAL_ERROR' && tries >= BACKOFF_SECONDS.length;
    if (!isTransient(result.code) || isHopeless || seconds === undefined)
      throw new TaskFailure(result.code, result.message);
    const asked = Math.min(result.retryAfterSeconds ?? 0, LONGEST_WAIT_SECONDS);
    await pause(`${name} (pause ${tries + 1})`, Math.max(seconds, asked));
  }
}

async function toSettled<T>(work: () => Promise<T>): Promise<Settled<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return {
      ok: false,
      code: codeOf(error),
      message: error instanceof BgAgentError ? error.message : `unexpected: ${messageOf(error)}`,
      ...(error instanceof BgAgentError && error.retryAfterSeconds !== undefined
        ? { retryAfterSeconds: error.retryAfterSeconds }
        : {}),
    };
  }
}
