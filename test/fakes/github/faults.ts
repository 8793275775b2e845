import type { Answer } from './http.ts';
import type { World } from './world.ts';

/** The ways in which GitHub can fail. */
export type Failure =
  /** An answer instead of the real one; with `effect` the request has taken effect all the same. */
  | { kind: 'answer'; status: number; body?: unknown; headers?: Record<string, string>; effect?: boolean }
  /** The connection ends before or after the request took effect, without an answer. */
  | { kind: 'drop'; effect: boolean }
  /** No answer, until the client gives up. */
  | { kind: 'silence' };

export interface Fault {
  /** Default: any. */
  method?: string;
  /** Of the path below the API, or of the git request. Default: any. */
  path?: RegExp;
  /** How often. Default 1. */
  times?: number;
  /** How many such requests pass first. Default 0. */
  after?: number;
  failure: Failure;
}

export const serverError = (status = 502): Failure => ({
  kind: 'answer',
  status,
  body: { message: 'Server Error' },
});

export const refusal = (status: number, message: string): Failure => ({
  kind: 'answer',
  status,
  body: { message },
});

const SECONDARY = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';

/** What GitHub answers when content is made too fast. */
export const secondaryLimit = (retryAfterSeconds?: number): Failure => ({
  kind: 'answer',
  status: 403,
  body: { message: SECONDARY },
  ...(retryAfterSeconds === undefined ? {} : { headers: { 'retry-after': String(retryAfterSeconds) } }),
});

/** The older words for the same, which servers of companies still use. */
export const abuse = (): Failure => ({
  kind: 'answer',
  status: 403,
  body: {
    message:
      'You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.',
  },
});

export const tooManyRequests = (retryAfterSeconds: number): Failure => ({
  kind: 'answer',
  status: 429,
  body: { message: 'Too many requests' },
  headers: { 'retry-after': String(retryAfterSeconds) },
});

export interface RateLimits {
  limit: number;
  remaining: number;
  resetAtMs: number;
  /** Content-creating calls within a minute; more are refused. */
  contentPerMinute: number;
  contentAtMs: number[];
}

export function createRateLimits({ now }: World): RateLimits {
  return {
    limit: 5_000,
    remaining: 5_000,
    resetAtMs: now() + 3_600_000,
    contentPerMinute: Infinity,
    contentAtMs: [],
  };
}

/** Counts a call; an answer when there is none left. */
export function countCall(limits: RateLimits, { now }: World, creates: boolean): Answer | undefined {
  if (now() >= limits.resetAtMs) {
    limits.remaining = limits.limit;
    limits.resetAtMs = now() + 3_600_000;
  }
  if (limits.remaining <= 0)
    return { status: 403, body: { message: 'API rate limit exceeded for installation ID 1.' } };
  limits.remaining -= 1;
  if (!creates) return undefined;
  limits.contentAtMs = limits.contentAtMs.filter((at) => at > now() - 60_000);
  if (limits.contentAtMs.length >= limits.contentPerMinute)
    return { status: 403, body: { message: SECONDARY }, headers: { 'retry-after': '60' } };
  limits.contentAtMs.push(now());
  return undefined;
}

export const limitHeaders = ({ limit, remaining, resetAtMs }: RateLimits): Record<string, string> => ({
  'x-ratelimit-limit': String(limit),
  'x-ratelimit-remaining': String(Math.max(remaining, 0)),
  'x-ratelimit-reset': String(Math.ceil(resetAtMs / 1_000)),
  'x-ratelimit-used': String(limit - Math.max(remaining, 0)),
  'x-ratelimit-resource': 'core',
});
