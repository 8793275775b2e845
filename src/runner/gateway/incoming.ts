import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isRecord } from '../../task/json.ts';
import type { Protocol } from './protocols/protocol.ts';
import { Refusal } from './refusal.ts';

/** One request's share of the memory for requests. */
export interface Held {
  add(bytes: number): void;
  release(): void;
}

/** The memory for requests under way, `most` bytes in all. A request that would take more is refused. */
export function createMemory(most: number): () => Held {
  let all = 0;
  return () => {
    let own = 0;
    return {
      add(bytes) {
        own += bytes;
        all += bytes;
        if (all > most) throw new Refusal(429, 'too many large requests at once', { passing: true });
      },
      release() {
        all -= own;
        own = 0;
      },
    };
  };
}

/** By `x-api-key` or as a bearer token. */
export function hasKey({ headers }: IncomingMessage, key: string): boolean {
  const bearer = /^bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return [headers['x-api-key'], bearer].some((given) => {
    if (typeof given !== 'string') return false;
    const [a, b] = [Buffer.from(given), Buffer.from(key)];
    return a.length === b.length && timingSafeEqual(a, b);
  });
}

/** Throws Refusal when it's larger than `maxRequestBytes`. */
export async function bodyOf(
  incoming: IncomingMessage,
  { maxRequestBytes: most, held }: { maxRequestBytes: number; held: Held },
): Promise<Buffer> {
  const tooLarge = new Refusal(413, `the request is over ${most} bytes`);
  if (Number(incoming.headers['content-length'] ?? 0) > most) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > most) throw tooLarge;
    held.add(chunk.length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The request read, and written anew: what was judged is what is sent, though a field may have come twice. */
export function written(bytes: Buffer): { fields: Record<string, unknown>; body: Buffer } {
  try {
    const fields: unknown = JSON.parse(bytes.toString('utf8'));
    if (isRecord(fields)) return { fields, body: Buffer.from(JSON.stringify(fields)) };
  } catch (error) {
    // RangeError: nested deeper than there is stack for.
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
  }
  throw new Refusal(400, 'the body must be a JSON object of sensible depth');
}

/** Those that go to the provider. */
export function headersOf({ headers }: IncomingMessage, protocol: Protocol): Record<string, string> {
  const passed = protocol.headers.map((name) => [name, headers[name]]);
  return Object.fromEntries(passed.filter(([, value]) => typeof value === 'string'));
}
