import { createParser } from 'eventsource-parser';
import { wholeEvents } from './events.ts';
import type { Meter } from './protocols/protocol.ts';
import { NetworkFailure, type UpstreamAnswer } from './upstreams/upstream.ts';

/** Answers that aren't streamed are read for their usage up to this size; beyond it the call is charged by estimate. */
const MAX_READ_BYTES = 32 * 1024 * 1024;

/** An answer of which nothing has been passed on yet, though its beginning may have been read. */
export interface OpenAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  streamed: boolean;
  /** The stream began with an error that may pass. */
  failedAtOnce: string | null;
  /** What to pass on, piece by piece; of a stream whole events. The meter has read a piece when it comes. */
  pieces: AsyncIterable<Buffer>;
  meter: Meter;
  /** When it's not wanted. */
  drop(): void;
}

/**
 * Waits for the first event of a stream, so that what fails at once can be tried again unseen. Throws NetworkFailure when the
 * stream ends before it.
 */
export async function openAnswer(answer: UpstreamAnswer, meter: Meter): Promise<OpenAnswer> {
  const { status, headers, body } = answer;
  const good = status >= 200 && status < 300;
  const streamed = good && (headers['content-type'] ?? '').includes('text/event-stream');
  const drop = (): void => {
    // Its end is of no interest any more, but an unheard error would end the process.
    body.on('error', () => undefined);
    body.destroy();
  };
  if (!streamed)
    return {
      status,
      headers,
      streamed,
      failedAtOnce: null,
      pieces: good ? wholeAnswer(body, meter) : body,
      meter,
      drop,
    };
  const pieces = metered(wholeEvents(body), meter);
  const first = await firstOf(pieces);
  const failure = meter.failed();
  const failedAtOnce = failure?.passing && meter.tokens() === null ? failure.message : null;
  return { status, headers, streamed, failedAtOnce, pieces: resumed(first, pieces), meter, drop };
}

async function* metered(events: AsyncIterable<Buffer>, meter: Meter): AsyncGenerator<Buffer, void> {
  const parser = createParser({ onEvent: ({ data }) => readEvent(data, meter) });
  for await (const piece of events) {
    parser.feed(piece.toString('utf8'));
    yield piece;
  }
}

function readEvent(data: string, meter: Meter): void {
  try {
    meter.event(data);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // Not JSON: the agent will make of it what it can; without a proper end the call is charged by estimate.
  }
}

async function firstOf(pieces: AsyncGenerator<Buffer, void>): Promise<Buffer> {
  const first = await pieces.next().catch((cause: unknown) => {
    throw new NetworkFailure('the answer broke off before its beginning', { reached: true, cause });
  });
  if (first.done) throw new NetworkFailure('the answer is empty', { reached: true });
  return first.value;
}

async function* resumed(first: Buffer, rest: AsyncGenerator<Buffer, void>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

async function* wholeAnswer(body: AsyncIterable<Buffer>, meter: Meter): AsyncGenerator<Buffer> {
  const read: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size <= MAX_READ_BYTES) read.push(chunk);
    yield chunk;
  }
  if (size > MAX_READ_BYTES) return;
  try {
    meter.answer(JSON.parse(Buffer.concat(read).toString('utf8')));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // Not JSON: charged by estimate.
  }
}
