import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { isRecord } from '../../task/json.ts';
import { SHORTEST_SECRET } from '../redact.ts';
import type { OpenAnswer } from './answer.ts';
import type { Protocol } from './protocols/protocol.ts';

/** Of the provider's headers the agent gets these. */
const PASSED_HEADERS = ['content-type', 'request-id', 'x-request-id', 'retry-after', 'x-should-retry'];
const MAX_ERROR_BYTES = 256 * 1024;

export type Scrub = (bytes: Buffer) => Buffer;

/** Takes the platform's credentials out, should a provider repeat them. */
export const createScrub =
  (secrets: () => readonly string[]): Scrub =>
  (bytes) => {
    const found = secrets().filter((secret) => secret.length >= SHORTEST_SECRET && bytes.includes(secret));
    if (found.length === 0) return bytes;
    return Buffer.from(
      found.reduce((text, secret) => text.replaceAll(secret, '[redacted]'), bytes.toString('utf8')),
    );
  };

export interface Recipient {
  response: ServerResponse;
  signal: AbortSignal;
  scrub: Scrub;
}

/** Passes each piece on as it comes, no faster than the agent reads. Throws when the answer breaks off. */
export async function passOn(
  answer: OpenAnswer,
  { response, signal, scrub }: Recipient,
  onPiece: () => void,
): Promise<void> {
  response.writeHead(answer.status, headersOf(answer, scrub));
  for await (const piece of answer.pieces) {
    onPiece();
    if (!response.write(scrub(piece))) await once(response, 'drain', { signal });
    signal.throwIfAborted();
  }
}

/** An error of the provider, in its own words where they are in the form that the API has. */
export async function passError(answer: OpenAnswer, recipient: Recipient, protocol: Protocol): Promise<void> {
  const { response, scrub } = recipient;
  const text = scrub(await beginningOf(answer)).toString('utf8');
  const status = answer.status >= 400 ? answer.status : 502;
  const body =
    errorIn(text) ??
    protocol.error(status, text.slice(0, 500).trim() || `the provider answered with status ${answer.status}`);
  const { 'content-type': _type, ...headers } = headersOf(answer, scrub);
  sendJson(response, status, body, headers);
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...headers,
    })
    .end(text);
}

function headersOf({ headers }: OpenAnswer, scrub: Scrub): Record<string, string> {
  const passed = Object.entries(headers).filter(([name]) => PASSED_HEADERS.includes(name));
  return Object.fromEntries(
    passed.map(([name, value]) => [name, scrub(Buffer.from(value)).toString('utf8')]),
  );
}

async function beginningOf({ pieces, drop }: OpenAnswer): Promise<Buffer> {
  const read: Buffer[] = [];
  let size = 0;
  for await (const piece of pieces) {
    read.push(piece);
    size += piece.length;
    if (size > MAX_ERROR_BYTES) break;
  }
  drop();
  return Buffer.concat(read).subarray(0, MAX_ERROR_BYTES);
}

function errorIn(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text);
    return isRecord(body) && isRecord(body.error) ? body : null;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null;
  }
}
