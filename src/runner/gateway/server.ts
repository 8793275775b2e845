import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf } from '../../task/errors.ts';
import type { GatewayLogEntry } from './gateway.ts';
import { isRecord } from './json.ts';
import { LimitReached } from './ledger.ts';
import { type Recipient, type Scrub, sendJson } from './pass-on.ts';
import type { CallRequest, Protocol } from './protocols/protocol.ts';
import { NetworkFailure, type UpstreamRequest } from './upstreams/upstream.ts';

const { createServer } = process.getBuiltinModule('node:http');

export interface ServerOptions {
  key: string;
  models: readonly string[];
  protocol: Protocol;
  maxRequestBytes: number;
  log(entry: GatewayLogEntry): void;
  scrub: Scrub;
  /** A call that costs. */
  run(call: ServedCall): Promise<void>;
  /** A question about a call, which is free. */
  count(call: ServedCall): Promise<void>;
}

export interface ServedCall {
  protocol: Protocol;
  asked: CallRequest;
  request: UpstreamRequest;
  recipient: Recipient;
}

export interface GatewayServer {
  port: number;
  close(): Promise<void>;
}

/** What is said instead of an answer. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
  }
}

export async function openServer(options: ServerOptions): Promise<GatewayServer> {
  const calls = new Set<Promise<void>>();
  const controllers = new Set<AbortController>();
  const server = createServer((incoming, response) => {
    const controller = new AbortController();
    controllers.add(controller);
    // Also when it's done: then nobody listens any more.
    response.once('close', () => controller.abort(new Error('the agent has gone')));
    const call = serve(incoming, response, controller.signal, options).finally(() => {
      controllers.delete(controller);
      calls.delete(call);
    });
    calls.add(call);
  });
  // An agent may think for long between two calls, and a model for long before it answers.
  server.keepAliveTimeout = 600_000;
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const controller of controllers) controller.abort(new Error('the gateway closes'));
      await Promise.all(calls);
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(
  incoming: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
  options: ServerOptions,
): Promise<void> {
  try {
    await route(incoming, response, signal, options);
  } catch (error) {
    if (signal.aborted) response.destroy();
    else fail(response, error, options);
  }
}

function fail(response: ServerResponse, error: unknown, { protocol, log, scrub }: ServerOptions): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const message = scrub(Buffer.from(messageOf(error))).toString('utf8');
  const { status, text, headers = {}, entry } = verdictOn(error, message);
  log(entry);
  sendJson(response, status, protocol.error(status, text), headers);
}

interface Verdict {
  status: number;
  text: string;
  headers?: Readonly<Record<string, string>>;
  entry: GatewayLogEntry;
}

/** Clients don't repeat it then. */
const FINAL = { 'x-should-retry': 'false' };

function verdictOn(error: unknown, why: string): Verdict {
  if (error instanceof LimitReached)
    return {
      // Claude Code repeats a 400 in other forms, and takes a 403 for a matter of its key.
      status: 402,
      text: why,
      headers: FINAL,
      entry: { event: 'gateway.limit', reason: error.reason },
    };
  if (error instanceof Refusal) {
    const { status } = error;
    // The rest of a body that is too large isn't read.
    const headers = status === 413 ? { ...FINAL, connection: 'close' } : FINAL;
    return { status, text: why, headers, entry: { event: 'gateway.refused', status, why } };
  }
  const entry = { event: 'gateway.failed', why };
  if (error instanceof NetworkFailure)
    return { status: 502, text: `the model provider can not be reached: ${why}`, entry };
  return { status: 500, text: `the model gateway failed: ${why}`, entry };
}

async function route(
  incoming: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
  options: ServerOptions,
): Promise<void> {
  const { protocol, models, run, count, scrub } = options;
  const path = (incoming.url ?? '/').split('?')[0] ?? '/';
  const method = incoming.method ?? 'GET';
  // Agents ask whether anybody is there before they have shown a key.
  if (path === '/' && (method === 'GET' || method === 'HEAD')) {
    response.writeHead(200).end();
    return;
  }
  if (!hasKey(incoming, options.key)) throw new Refusal(401, 'the key of this gateway is wrong or missing');
  if (path === '/v1/models' && method === 'GET') {
    sendJson(response, 200, protocol.models(models));
    return;
  }
  const operation = Object.hasOwn(protocol.operations, path) ? protocol.operations[path] : undefined;
  if (operation === undefined)
    throw new Refusal(
      404,
      `this gateway has ${Object.keys(protocol.operations).join(', ')} and /v1/models only`,
    );
  if (method !== 'POST') throw new Refusal(405, `${path} takes POST`);
  const fields = fieldsIn(await bodyOf(incoming, options.maxRequestBytes));
  const asked = protocol.read(fields);
  if ('refused' in asked) throw new Refusal(400, asked.refused);
  if (!models.includes(asked.model))
    throw new Refusal(
      404,
      `the model ${JSON.stringify(asked.model.slice(0, 100))} is not allowed here; allowed: ${models.join(', ')}`,
    );
  const request: UpstreamRequest = {
    operation,
    model: asked.model,
    stream: asked.stream,
    // Written anew: what was judged is what is sent, though a field may have come twice.
    body: Buffer.from(JSON.stringify(fields)),
    fields,
    headers: headersOf(incoming, protocol),
  };
  const recipient: Recipient = { response, signal, scrub };
  await (operation === 'count_tokens' ? count : run)({ protocol, asked, request, recipient });
}

function hasKey({ headers }: IncomingMessage, key: string): boolean {
  const bearer = /^bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return [headers['x-api-key'], bearer].some((given) => {
    if (typeof given !== 'string') return false;
    const [a, b] = [Buffer.from(given), Buffer.from(key)];
    return a.length === b.length && timingSafeEqual(a, b);
  });
}

async function bodyOf(incoming: IncomingMessage, most: number): Promise<Buffer> {
  const tooLarge = new Refusal(413, `the request is over ${most} bytes`);
  if (Number(incoming.headers['content-length'] ?? 0) > most) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > most) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function fieldsIn(body: Buffer): Record<string, unknown> {
  try {
    const fields: unknown = JSON.parse(body.toString('utf8'));
    if (isRecord(fields)) return fields;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Refusal(400, 'the body must be a JSON object');
}

function headersOf({ headers }: IncomingMessage, protocol: Protocol): Record<string, string> {
  const passed = protocol.headers.map((name) => [name, headers[name]]);
  return Object.fromEntries(passed.filter(([, value]) => typeof value === 'string'));
}
