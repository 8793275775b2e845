import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../task/errors.ts';
import {
  type Bootstrap,
  type Credentials,
  credentialsSchema,
  type Payload,
  payloadSchema,
  type ReportReply,
  type ReportRequest,
  reportReplySchema,
} from '../task/protocol.ts';
import type { HttpAnswer, HttpClient } from './http.ts';

/** The runner's side of /v1/runner/{task_id}. */
export interface Platform {
  start(): Promise<void>;
  payload(): Promise<Payload>;
  credentials(): Promise<Credentials>;
  report(report: Omit<ReportRequest, 'attempt' | 'runner_id'>): Promise<ReportReply>;
}

/** The platform wants nothing more of this runner: a newer attempt has taken over, or the task has ended. */
export class SessionUnwantedError extends Error {
  override readonly name = 'SessionUnwantedError';
}

/** The platform refuses this very message; sending it again would change nothing. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  /** The platform's code, and its own words. */
  readonly code: string;
  readonly reason: string;
  constructor(message: string, { code = '', reason = message } = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

export interface PlatformOptions {
  bootstrap: Bootstrap;
  runnerId: string;
  http: HttpClient;
  /** 0 up to 1; spreads the retries of many runners. */
  random(): number;
  /** Ends the patience: a call that waits for the platform rejects with the signal's reason. */
  signal: AbortSignal;
  note(text: string): void;
  /** False when the session's own folder is gone: whoever removed it wants nothing of this runner. */
  isWanted(): Promise<boolean>;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** Every call is repeated until the platform answers it: a platform that restarts loses nothing. */
export function createPlatform({
  bootstrap,
  runnerId,
  http,
  random,
  signal,
  note,
  isWanted,
}: PlatformOptions): Platform {
  let baseUrl = bootstrap.api_url;
  const identity = { attempt: bootstrap.attempt, runner_id: runnerId };

  async function call(method: 'GET' | 'POST', what: string, body?: unknown): Promise<unknown> {
    for (let failures = 0; ; failures += 1) {
      signal.throwIfAborted();
      let why: string;
      try {
        const url = new URL(`/v1/runner/${encodeURIComponent(bootstrap.task_id)}/${what}`, baseUrl);
        const answer = await http.send(method, url, bootstrap.token, body);
        const data = understand(what, answer);
        if (data !== RETRY) return data;
        why = `status ${answer.status}`;
      } catch (error) {
        if (error instanceof SessionUnwantedError || error instanceof RefusedError) throw error;
        why = messageOf(error);
      }
      if (failures === 3) note(`the platform does not answer (${why}); trying on\n`);
      if (!(await isWanted())) throw new SessionUnwantedError('the folder of the session is gone');
      // It rejects only when the signal aborts, but not with its reason.
      await delay(pauseMs(failures, random()), undefined, { signal }).catch(() => signal.throwIfAborted());
      baseUrl = (await currentUrl(bootstrap.api_url_file)) ?? baseUrl;
    }
  }

  return {
    async start() {
      await call('POST', 'start', identity);
    },
    async payload() {
      return payloadSchema.parse(await call('GET', 'payload'));
    },
    async credentials() {
      return credentialsSchema.parse(await call('POST', 'credentials', identity));
    },
    async report(report) {
      return reportReplySchema.parse(await call('POST', 'report', { ...identity, ...report }));
    },
  };
}

const RETRY = Symbol('retry');

function understand(what: string, { status, body }: HttpAnswer): unknown {
  if (status >= 200 && status < 300) return isObject(body) ? body.data : undefined;
  const error = isObject(body) && isObject(body.error) ? body.error : {};
  const reason = `${what}: ${status} ${String(error.code ?? '')} ${String(error.message ?? '')}`.trim();
  if (status === 401 || status === 409 || (status === 404 && error.code === 'TASK_NOT_FOUND'))
    throw new SessionUnwantedError(reason);
  // It passes by itself, as everything that is left to be tried again.
  if (error.code === 'GITHUB_UNREACHABLE') return RETRY;
  if (status >= 400 && status < 500 && ![404, 408, 425, 429].includes(status))
    throw new RefusedError(reason, {
      code: String(error.code ?? ''),
      reason: String(error.message ?? reason),
    });
  return RETRY;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

function pauseMs(failures: number, random: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10)) * (0.5 + random / 2);
}

/** The platform may have come back on another port. */
async function currentUrl(file: string | null): Promise<string | undefined> {
  if (file === null) return undefined;
  try {
    const content: unknown = JSON.parse(await readFile(file, 'utf8'));
    const url = isObject(content) && typeof content.api_url === 'string' ? content.api_url : '';
    return URL.canParse(url) ? url : undefined;
  } catch {
    // Not there while the platform is down, or half-written while it starts: the next try reads it again.
    return undefined;
  }
}
