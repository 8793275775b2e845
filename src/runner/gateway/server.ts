import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf } from '../../task/errors.ts';
import type { GatewayLogEntry } from './gateway.ts';
import { bodyOf, createMemory, type Held, hasKey, headersOf, written } from './incoming.ts';
import { type Recipient, type Scrub, sendJson } from './pass-on.ts';
import type { CallRequest, Protocol } from './protocols/protocol.ts';
import { Refusal, verdictOn } from './refusal.ts';
import type { UpstreamRequest } from './upstreams/upstream.ts';

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

/** More than any agent with all its sub-agents needs. */
const MAX_CONNECTIONS = 256;
/** What the requests under way may take of the runner's memory together, in multiples of the largest one. */
const MAX_HELD_REQUESTS = 8;

type Serving = ServerOptions & { held: Held };

export async function openServer(options: ServerOptions): Promise<GatewayServer> {
  const calls = new Set<Promise<void>>();
  const hold = createMemory(options.maxRequestBytes * MAX_HELD_REQUESTS);
  const controllers = new Set<AbortController>();
  const server = createServer((incoming, response) => {
    const controller = new AbortController();
    controllers.add(controller);
    // Also when it's done: then nobody listens any more.
    response.once('close', () => controller.abort(new Error('the agent has gone')));
    const held = hold();
    const call = serve(incoming, response, controller.signal, { ...options, held })
      // Not even what was to tell a failure may end the runner.
      .catch((error: Error) => response.destroy(error))
      .then(() => {
        held.release();
        controllers.delete(controller);
        calls.delete(call);
      });
    calls.add(call);
  });
  // An agent may think for long between two calls, and a model for long before it answers.
  server.keepAliveTimeout = 600_000;
  // For the request to come in, not for the answer.
  server.requestTimeout = 60_000;
  server.maxConnections = MAX_CONNECTIONS;
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
  options: Serving,
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

async function route(
  incoming: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
  options: Serving,
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
  const { fields, body } = written(await bodyOf(incoming, options));
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
    body,
    fields,
    headers: headersOf(incoming, protocol),
  };
  const recipient: Recipient = { response, signal, scrub };
  await (operation === 'count_tokens' ? count : run)({ protocol, asked, request, recipient });
}
