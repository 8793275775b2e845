import { Readable } from 'node:stream';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { fromUtf8, toUtf8 } from '@smithy/core/serde';
import { isRecord } from '../../../task/json.ts';
import type { Operation, UpstreamAnswer } from './upstream.ts';

/** More than AWS sends; a length beyond it means that this isn't an event stream. */
const MAX_FRAME_BYTES = 32 * 1024 * 1024;
const MAX_JSON_BYTES = 32 * 1024 * 1024;

/** An answer in AWS's event stream as the server-sent events that Anthropic would send. */
export function anthropicEvents(answer: UpstreamAnswer): UpstreamAnswer {
  const body = Readable.from(eventsOf(answer.body), { objectMode: false });
  body.once('close', () => answer.body.destroy());
  return { ...answer, headers: headersOf(answer, 'text/event-stream'), body };
}

async function* eventsOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const codec = new EventStreamCodec(toUtf8, fromUtf8);
  for await (const frame of framesOf(source)) {
    const { headers, body } = codec.decode(frame);
    const text = Buffer.from(body).toString('utf8');
    const kind = headers[':message-type']?.value;
    if (kind === 'exception' || kind === 'error') {
      const name = String(headers[':exception-type']?.value ?? headers[':error-code']?.value ?? '');
      yield serverSent('error', errorBody(name, text));
      return;
    }
    const outer: unknown = JSON.parse(text);
    if (!isRecord(outer) || typeof outer.bytes !== 'string') continue;
    const event: unknown = JSON.parse(Buffer.from(outer.bytes, 'base64').toString('utf8'));
    if (isRecord(event) && typeof event.type === 'string') yield serverSent(event.type, event);
  }
}

const serverSent = (name: string, data: unknown): Buffer =>
  Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);

/** Frames begin with their length. */
async function* framesOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let size = 0;
  for await (const chunk of source) {
    held.push(chunk);
    size += chunk.length;
    if (size < 4 || size < lengthAtStart(held)) continue;
    let all = Buffer.concat(held);
    while (all.length >= 4 && all.length >= all.readUInt32BE(0)) {
      const length = all.readUInt32BE(0);
      if (length < 16) throw new Error('not an event stream');
      yield all.subarray(0, length);
      all = all.subarray(length);
    }
    held = all.length > 0 ? [all] : [];
    size = all.length;
  }
}

function lengthAtStart(held: Buffer[]): number {
  const start = Buffer.concat(held.map((part) => part.subarray(0, 4))).subarray(0, 4);
  const length = (held[0]?.length ?? 0) >= 4 ? (held[0]?.readUInt32BE(0) ?? 0) : start.readUInt32BE(0);
  if (length > MAX_FRAME_BYTES) throw new Error('not an event stream');
  return length;
}

/** An answer that is not streamed, errors included, in the form that Anthropic would give it. */
export async function anthropicJson(answer: UpstreamAnswer, operation: Operation): Promise<UpstreamAnswer> {
  if (answer.status === 200 && operation === 'messages') return answer;
  const text = await textOf(answer.body);
  if (answer.status === 200) {
    const counted: unknown = JSON.parse(text);
    const tokens = isRecord(counted) ? counted.inputTokens : 0;
    return replaced(answer, { input_tokens: tokens });
  }
  return replaced(answer, errorBody((answer.headers['x-amzn-errortype'] ?? '').split(':')[0] ?? '', text));
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_JSON_BYTES) throw new Error(`the answer is over ${MAX_JSON_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const replaced = (answer: UpstreamAnswer, body: unknown): UpstreamAnswer => ({
  ...answer,
  headers: headersOf(answer, 'application/json'),
  body: Readable.from([Buffer.from(JSON.stringify(body))], { objectMode: false }),
});

function headersOf({ headers }: UpstreamAnswer, type: string): Record<string, string> {
  const { 'content-length': _length, 'x-amzn-requestid': id, ...rest } = headers;
  return { ...rest, 'content-type': type, ...(id ? { 'request-id': id } : {}) };
}

const ERROR_TYPES: Readonly<Record<string, string>> = {
  validationexception: 'invalid_request_error',
  accessdeniedexception: 'permission_error',
  resourcenotfoundexception: 'not_found_error',
  throttlingexception: 'rate_limit_error',
  servicequotaexceededexception: 'rate_limit_error',
  modelnotreadyexception: 'overloaded_error',
  serviceunavailableexception: 'overloaded_error',
};

function errorBody(name: string, text: string): unknown {
  const type = ERROR_TYPES[name.toLowerCase()] ?? 'api_error';
  return { type: 'error', error: { type, message: messageIn(text) || name || 'Bedrock gave no reason' } };
}

function messageIn(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    const message = isRecord(body) ? (body.message ?? body.Message) : undefined;
    return typeof message === 'string' ? message : '';
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // A proxy answered in its place.
    return text.slice(0, 200);
  }
}
