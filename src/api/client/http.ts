import { BgAgentError, type ErrorCode, isErrorCode, messageOf } from '../../task/errors.ts';
import type { ErrorEnvelope } from '../schemas/envelope.ts';

export interface ClientOptions {
  /** Where the platform is, for example `http://127.0.0.1:7788`. */
  apiUrl: string;
  /** `bgak_…` */
  apiKey: string;
  /** Ends every request and stream when it aborts. */
  signal?: AbortSignal;
  /** How long one request may take, in milliseconds; 30,000 by default. Streams are not limited. */
  timeoutMs?: number;
  /** The platform's own by default. */
  fetch?: typeof fetch;
}

/** What the platform answered instead of doing what was asked. */
export class ApiError extends BgAgentError {
  readonly status: number;
  /** Names the request in the platform's log; null when the answer didn't come from the platform itself. */
  readonly requestId: string | null;

  constructor(
    code: ErrorCode,
    message: string,
    details: { status: number; requestId: string | null; retryAfterSeconds?: number },
  ) {
    super(
      code,
      message,
      details.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: details.retryAfterSeconds },
    );
    this.name = 'ApiError';
    this.status = details.status;
    this.requestId = details.requestId;
  }
}

export interface RequestOptions {
  query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  body?: unknown;
  /** JSON that is sent as it is, in place of `body`. */
  raw?: string | undefined;
  headers?: Readonly<Record<string, string | undefined>>;
  signal?: AbortSignal | undefined;
  /** Milliseconds; null = no limit. */
  timeoutMs?: number | null;
}

export type Send = (method: string, path: string, options?: RequestOptions) => Promise<Response>;

/** Sends requests; whatever isn't a success is thrown: ApiError by the platform's word, SERVICE_UNAVAILABLE without one. */
export function createSend(options: ClientOptions): Send {
  const base = baseOf(options.apiUrl);
  if (!/^[\x21-\x7e]+$/.test(options.apiKey))
    throw new BgAgentError('UNAUTHORIZED', 'api_key: must be printable ASCII without spaces', {
      field: 'api_key',
    });

  return async (method, path, request = {}) => {
    const timeoutMs = request.timeoutMs === undefined ? (options.timeoutMs ?? 30_000) : request.timeoutMs;
    const signals = [
      options.signal,
      request.signal,
      timeoutMs === null ? undefined : AbortSignal.timeout(timeoutMs),
    ];
    const response = await exchange(options.fetch ?? fetch, urlOf(base, path, request.query), {
      method,
      headers: headersOf(options.apiKey, request),
      signal: AbortSignal.any(signals.filter((signal) => signal !== undefined)),
      redirect: 'manual',
      ...bodyOf(request),
    });
    if (response.ok) return response;
    throw await toError(response, base);
  };
}

async function exchange(send: typeof fetch, url: URL, init: RequestInit): Promise<Response> {
  try {
    return await send(url, init);
  } catch (error) {
    throw unreachable(error, url.origin);
  }
}

/** The network's failure, with its cause; an abort stays what it is. */
export function unreachable(error: unknown, origin: string): unknown {
  if (error instanceof Error && error.name === 'AbortError') return error;
  const timedOut = error instanceof Error && error.name === 'TimeoutError';
  const cause = error instanceof Error && error.cause ? error.cause : error;
  return new BgAgentError(
    'SERVICE_UNAVAILABLE',
    timedOut
      ? `the platform at ${origin} did not answer in time`
      : `can't reach the platform at ${origin}: ${reasonOf(cause)}`,
    { cause },
  );
}

/** Several addresses of one name fail as one error without a text of its own. */
const reasonOf = (cause: unknown): string =>
  cause instanceof AggregateError && cause.errors.length > 0 ? messageOf(cause.errors[0]) : messageOf(cause);

async function toError(response: Response, base: URL): Promise<BgAgentError> {
  const { status, headers } = response;
  if (status >= 300 && status < 400)
    return new BgAgentError(
      'VALIDATION_ERROR',
      `api_url: ${base.origin} redirects to ${headers.get('location') ?? 'another address'}; use that one`,
      { field: 'api_url' },
    );
  const text = await response.text().catch(() => '');
  const envelope = parseEnvelope(text);
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
  const details = {
    status,
    requestId: envelope?.request_id ?? null,
    ...(Number.isFinite(retryAfter) ? { retryAfterSeconds: retryAfter } : {}),
  };
  if (envelope) return new ApiError(codeFor(envelope.code, status), envelope.message, details);
  const message = `${base.origin} answered ${status} without saying why; is it the platform?`;
  return new ApiError(codeFor('', status), message, details);
}

function parseEnvelope(text: string): ErrorEnvelope['error'] | undefined {
  try {
    const { error } = JSON.parse(text) as Partial<ErrorEnvelope>;
    return typeof error?.code === 'string' && typeof error.message === 'string' ? error : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** A platform newer than this client may know more codes. */
function codeFor(code: string, status: number): ErrorCode {
  if (isErrorCode(code)) return code;
  if (status === 401) return 'UNAUTHORIZED';
  if (status === 403) return 'FORBIDDEN';
  if (status === 404) return 'ROUTE_NOT_FOUND';
  if (status === 429) return 'RATE_LIMIT_EXCEEDED';
  return status >= 500 ? 'SERVICE_UNAVAILABLE' : 'VALIDATION_ERROR';
}

function baseOf(apiUrl: string): URL {
  const url = URL.parse(apiUrl);
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new BgAgentError('VALIDATION_ERROR', `api_url: "${apiUrl}" is not an http:// or https:// address`, {
    field: 'api_url',
  });
}

function urlOf(base: URL, path: string, query: RequestOptions['query']): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/$/, '')}${path}`;
  for (const [name, value] of Object.entries(query ?? {}))
    if (value !== undefined) url.searchParams.set(name, String(value));
  return url;
}

const bodyOf = ({ body, raw }: RequestOptions): { body?: string } =>
  raw !== undefined ? { body: raw } : body === undefined ? {} : { body: JSON.stringify(body) };

function headersOf(apiKey: string, { body, raw, headers = {} }: RequestOptions): Record<string, string> {
  const given = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    Accept: 'application/json',
    'X-API-Key': apiKey,
    ...(body === undefined && raw === undefined ? {} : { 'Content-Type': 'application/json' }),
    ...Object.fromEntries(given),
  };
}
