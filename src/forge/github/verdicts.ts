/** What an answer of GitHub that isn't what was asked for means: pure, so that each case is a line of a table. */

export interface Response {
  status: number;
  headers: Readonly<Record<string, string | number | undefined>>;
  /** What GitHub says, with its details. */
  message: string;
}

export type Verdict =
  /** Wait as long, then ask again. */
  | { kind: 'limited'; waitMs: number }
  /** The server has a problem; nobody knows whether the request took effect. */
  | { kind: 'unavailable' }
  /** The token isn't good (any more). */
  | { kind: 'unauthorized' }
  /** No, and it will stay so. */
  | { kind: 'refused' };

const LEAST_WAIT_MS = 60_000;
const LONGEST_GROWN_WAIT_MS = 15 * 60_000;
/** "secondary rate limit" on github.com, "abuse detection" on older servers. */
const SECONDARY = /secondary rate|abuse detection|abuse-rate-limits/i;

/**
 * Judges an answer; `hits` counts the limits met in a row before it. Waits are as GitHub says, but at least a minute, and grow while
 * it goes on refusing.
 */
export function judge(response: Response | null, { hits, now }: { hits: number; now: number }): Verdict {
  if (response === null || response.status >= 500) return { kind: 'unavailable' };
  const { status, headers, message } = response;
  if (status === 401) return { kind: 'unauthorized' };
  if (isLimit(response)) {
    const grown = Math.min(LEAST_WAIT_MS * 2 ** hits, LONGEST_GROWN_WAIT_MS);
    return { kind: 'limited', waitMs: Math.max(toldWaitMs(headers, message, now), grown) };
  }
  return { kind: 'refused' };
}

export function isLimit({ status, headers, message }: Response): boolean {
  if (status === 429) return true;
  // GraphQL says it in an answer that looks well.
  if (status === 200) return /RATE_LIMITED|rate limit/i.test(message);
  return (
    status === 403 &&
    (headers['retry-after'] !== undefined ||
      String(headers['x-ratelimit-remaining']) === '0' ||
      SECONDARY.test(message))
  );
}

function toldWaitMs(headers: Response['headers'], message: string, now: number): number {
  const retryAfter = Number(headers['retry-after']);
  if (Number.isFinite(retryAfter) && retryAfter > 0) return retryAfter * 1_000;
  const reset = Number(headers['x-ratelimit-reset']) * 1_000;
  const isPrimary = String(headers['x-ratelimit-remaining']) === '0' && !SECONDARY.test(message);
  // A second more, so that the window is really over.
  return isPrimary && Number.isFinite(reset) ? Math.max(reset - now + 1_000, 0) : 0;
}

/** Pauses before asking a server again that has a problem. */
export const backoffMs = (attempt: number): number => 1_000 * 2 ** attempt;
export const UNAVAILABLE_TRIES = 4;
