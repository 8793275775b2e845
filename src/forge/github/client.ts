import { Octokit } from '@octokit/core';
import { paginateRest } from '@octokit/plugin-paginate-rest';
import { isRecord } from '../../task/json.ts';
import type { Log } from '../../task/log.ts';
import { failureOf } from './failures.ts';
import type { Pace } from './pace.ts';
import { backoffMs, isLimit, judge, type Response, UNAVAILABLE_TRIES } from './verdicts.ts';

/** Whose credentials a client shows. */
export interface Bearer {
  /** Those with the same key share their limits. */
  key: string;
  /** What errors call the target, like `octo/hello`. */
  target: string;
  /** The value of the header; null leaves it to the client. */
  authorization(): Promise<string | null>;
  /** After a 401: whether there are other credentials now. */
  renew(): Promise<boolean>;
}

export interface ClientOptions {
  apiUrl: string;
  pace: Pace;
  now: () => number;
  sleep(ms: number): Promise<void>;
  timeoutMs: number;
  log: Log;
}

const Paginating = Octokit.plugin(paginateRest);
export type Client = InstanceType<typeof Paginating>;
type Headers = Response['headers'];

/** Creating twice makes two: what became of such a call is looked up before it is repeated, by whoever made it. */
const ONCE = [
  'POST /repos/{owner}/{repo}/pulls',
  'POST /repos/{owner}/{repo}/issues/{issue_number}/comments',
  'POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews',
];

/**
 * An octokit that waits when it is told to, repeats what may be repeated, renews its credentials once, and whose failures hold nothing
 * of the request.
 */
export function createClient(
  { apiUrl, pace, now, sleep, timeoutMs, log }: ClientOptions,
  bearer: Bearer,
  auth: { authStrategy?: unknown; auth?: unknown } = {},
): Client {
  const say = (message: string): void =>
    log.warn({ event: 'forge.github.client', target: bearer.target }, message);
  const nothing = (): void => undefined;
  const octokit = new Paginating({
    ...auth,
    baseUrl: apiUrl,
    userAgent: 'bgagent',
    log: { debug: nothing, info: nothing, warn: say, error: say },
  });
  const warnWhenLow = createLowWarning(bearer, log);

  octokit.hook.wrap('request', async (request, options) => {
    const where = `${options.method} ${options.url.replace(apiUrl, '')}`;
    const writes = options.method !== 'GET' && options.url.includes('/repos/');
    let renewed = false;
    for (let attempt = 0; ; ) {
      await pace.open(bearer.key);
      if (writes) await pace.takeTurn(bearer.key);
      const authorization = await bearer.authorization();
      if (authorization !== null) options.headers.authorization = authorization;
      options.request = { ...options.request, signal: AbortSignal.timeout(timeoutMs) };
      const outcome = await attemptOnce(async () => outcomeOf(await request(options)), timeoutMs);
      if ('answer' in outcome) {
        pace.passed(bearer.key);
        warnWhenLow(outcome.answer.headers);
        return outcome.answer;
      }
      const verdict = judge(outcome.response, { hits: pace.hits(bearer.key), now: now() });
      if (verdict.kind === 'limited') {
        log.warn(
          {
            event: 'forge.github.limited',
            target: bearer.target,
            retry_after_seconds: Math.ceil(verdict.waitMs / 1_000),
          },
          `GitHub asks to wait before ${where}`,
        );
        pace.close(bearer.key, verdict.waitMs);
        continue;
      }
      if (verdict.kind === 'unauthorized' && !renewed && (await bearer.renew())) {
        renewed = true;
        continue;
      }
      const mayRepeat = !ONCE.includes(where) && attempt < UNAVAILABLE_TRIES - 1;
      if (verdict.kind !== 'unavailable' || !mayRepeat)
        throw failureOf(outcome.response, { where, target: bearer.target, reason: outcome.reason });
      await sleep(backoffMs(attempt));
      attempt += 1;
    }
  });
  return octokit;
}

interface Answer {
  status: number;
  headers: Headers;
  data: unknown;
  url: string;
}

/** `response` is what GitHub said instead; null when nothing, or not all, arrived. */
type Outcome<A> = { answer: A } | { response: Response | null; reason: string };

/** An answer that looks well may hold a limit (GraphQL), or be cut: the client gives text then where it can't read JSON. */
function outcomeOf<A extends Answer>(answer: A): Outcome<A> {
  const { status, headers, data } = answer;
  if (typeof data === 'string' && String(headers['content-type']).includes('json'))
    return { response: null, reason: 'the answer ended early' };
  const errors = isRecord(data) && Array.isArray(data.errors) ? data.errors : [];
  const response = { status, headers, message: JSON.stringify(errors) };
  return errors.length > 0 && isLimit(response) ? { response, reason: 'limit' } : { answer };
}

async function attemptOnce<A>(ask: () => Promise<Outcome<A>>, timeoutMs: number): Promise<Outcome<A>> {
  try {
    return await ask();
  } catch (error) {
    return failedOutcome(error, timeoutMs);
  }
}

function failedOutcome(error: unknown, timeoutMs: number): Outcome<never> {
  const response = isRecord(error) && isRecord(error.response) ? error.response : null;
  if (response !== null && isRecord(response.headers) && typeof response.status === 'number')
    return {
      response: {
        status: response.status,
        headers: headersOf(response.headers),
        message: saidIn(response.data),
      },
      reason: 'refused',
    };
  const cause = isRecord(error) ? error.cause : undefined;
  const timedOut = [error, cause].some((each) => isRecord(each) && each.name === 'TimeoutError');
  if (timedOut) return { response: null, reason: `no answer within ${timeoutMs / 1_000} s` };
  return { response: null, reason: error instanceof Error ? error.message : String(error) };
}

/** GitHub's message with the details of each error, never the request. */
function saidIn(data: unknown): string {
  if (!isRecord(data)) return String(data ?? '').slice(0, 200);
  const details = (Array.isArray(data.errors) ? data.errors : []).map((each: unknown) => {
    if (!isRecord(each)) return String(each);
    return each.message === undefined
      ? [each.resource, each.field, each.code].filter(Boolean).join(' ')
      : String(each.message);
  });
  return [String(data.message ?? ''), ...details].filter((text) => text !== '').join('; ');
}

/** Said once in each window. */
function createLowWarning({ target }: Bearer, log: Log): (headers: Headers) => void {
  const LOW_SHARE = 0.1;
  let saidFor = '';
  return (headers) => {
    const remaining = Number(headers['x-ratelimit-remaining']);
    const limit = Number(headers['x-ratelimit-limit']);
    const window = String(headers['x-ratelimit-reset']);
    if (!(remaining < limit * LOW_SHARE) || saidFor === window) return;
    saidFor = window;
    log.warn(
      { event: 'forge.github.limit_low', target, remaining, limit },
      'few requests to GitHub are left in this hour',
    );
  };
}

const headersOf = (headers: Record<string, unknown>): Headers =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value === undefined ? undefined : String(value)]),
  );
