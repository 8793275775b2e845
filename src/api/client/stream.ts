import { createParser } from 'eventsource-parser';
import { BgAgentError } from '../../task/errors.ts';
import { TERMINAL_EVENT } from '../../task/status.ts';
import type { TaskEventDetail } from '../schemas/tasks.ts';
import { type Send, unreachable } from './http.ts';

const TERMINAL_TYPES: ReadonlySet<string> = new Set(Object.values(TERMINAL_EVENT));

/** The stream says something at once; when it doesn't, something in between holds it back. */
const FIRST_WORD_MS = 10_000;
/** Three pings missed: the connection is dead. */
const SILENCE_MS = 45_000;
const POLL_MS = 2_000;
const LONGEST_PAUSE_MS = 5_000;

export interface FollowOptions {
  send: Send;
  listAfter(after: string | undefined): Promise<TaskEventDetail[]>;
  hasEnded(): Promise<boolean>;
  taskId: string;
  /** Events after this one. */
  after?: string | undefined;
  signal?: AbortSignal | undefined;
  /** How long the platform may be out of reach before it is an error, in milliseconds. */
  giveUpAfterMs: number;
  sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  now?: () => number;
}

/**
 * Every event of a task, each once and in order, until its terminal one. A connection that breaks is taken up again where it
 * was; where streams don't get through, the events are asked for every two seconds.
 */
export async function* followEvents(
  options: FollowOptions,
): AsyncGenerator<TaskEventDetail, void, undefined> {
  const { sleep = pause, now = Date.now, signal } = options;
  let cursor = options.after;
  let streams = true;
  let failures = 0;
  let lastContact = now();
  for (;;) {
    try {
      const source = streams ? readStream(options, cursor) : await options.listAfter(cursor);
      for await (const event of source) {
        failures = 0;
        lastContact = now();
        cursor = event.event_id;
        yield event;
        if (TERMINAL_TYPES.has(event.event_type)) return;
      }
      lastContact = now();
      // The end of the stream without a terminal event: the server closed, or everything was known before.
      if ((await options.hasEnded()) && (await options.listAfter(cursor)).length === 0) return;
      if (!streams) await sleep(POLL_MS, signal);
    } catch (error) {
      if (error instanceof StreamBlocked) {
        streams = false;
        continue;
      }
      if (!passes(error) || now() - lastContact > options.giveUpAfterMs) throw error;
      await sleep(Math.min(LONGEST_PAUSE_MS, 200 * 2 ** failures), signal);
      failures += 1;
    }
  }
}

/** Streams don't get through from here. */
class StreamBlocked extends Error {}

const passes = (error: unknown): boolean =>
  error instanceof BgAgentError &&
  (error.code === 'SERVICE_UNAVAILABLE' || error.code === 'RATE_LIMIT_EXCEEDED');

async function* readStream(
  options: FollowOptions,
  cursor: string | undefined,
): AsyncGenerator<TaskEventDetail> {
  const ended = new AbortController();
  const signals = [ended.signal, options.signal].filter((signal) => signal !== undefined);
  const response = await options.send('GET', `/v1/tasks/${options.taskId}/stream`, {
    headers: { Accept: 'text/event-stream', 'Last-Event-ID': cursor },
    signal: AbortSignal.any(signals),
    timeoutMs: null,
  });
  const origin = response.url === '' ? 'the platform' : new URL(response.url).origin;
  if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body) {
    ended.abort();
    throw new StreamBlocked('the answer is not an event stream');
  }
  const found: TaskEventDetail[] = [];
  const parser = createParser({ onEvent: ({ data }) => found.push(JSON.parse(data) as TaskEventDetail) });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let heard = false;
  try {
    for (;;) {
      const chunk = await within(reader.read(), heard ? SILENCE_MS : FIRST_WORD_MS, () =>
        heard
          ? new BgAgentError('SERVICE_UNAVAILABLE', `the event stream of ${origin} went silent`)
          : new StreamBlocked('the event stream is held back'),
      );
      if (chunk.done) return;
      heard = true;
      parser.feed(chunk.value);
      yield* found.splice(0);
    }
  } catch (error) {
    if (error instanceof StreamBlocked || error instanceof BgAgentError) throw error;
    throw unreachable(error, origin);
  } finally {
    ended.abort();
  }
}

async function within<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

const pause = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
