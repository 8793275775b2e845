import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { anthropicMessage, anthropicStream } from './model-server-anthropic.ts';
import { bedrockStream } from './model-server-bedrock.ts';
import { openaiResponse, openaiStream } from './model-server-openai.ts';

/** What the model does in one call. Without anything it says "Done." */
export interface ScriptedAnswer {
  text?: string;
  tools?: readonly { name: string; input: unknown }[];
  /** Tokens as the provider tells them; default 100 in and 10 out. */
  usage?: ScriptedUsage;
  /** Instead of an answer: a status from 300 on. `body` default: an error in the form of the API. */
  status?: number;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
  /** An error event in place of the stream, or after `breakAfter` events of it. */
  errorEvent?: string;
  /** Before the head. */
  delayMs?: number;
  /** Between two events of a stream. */
  pieceMs?: number;
  /** The connection is cut after so many events; 0: before the head. Of an answer that isn't streamed: half-way. */
  breakAfter?: number;
  /** No answer at all until the client goes. */
  hang?: boolean;
}

export interface ScriptedUsage {
  input?: number;
  output?: number;
  cacheWrite?: number;
  cacheWrite1h?: number;
  cacheRead?: number;
  /** Told as it is in place of all others, however wrong. */
  raw?: unknown;
}

export interface ModelRequest {
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
  text: string;
  /** The client went before the answer was whole. */
  aborted: boolean;
}

/** A model provider on loopback that does as it's told: Anthropic Messages, OpenAI Responses, Bedrock's InvokeModel. */
export interface ModelServer {
  /** Without a path. */
  url: string;
  readonly requests: readonly ModelRequest[];
  /** Answers to the next calls, in order. */
  script(...answers: ScriptedAnswer[]): void;
  close(): Promise<void>;
}

export async function createModelServer({
  answer = () => ({}),
}: {
  /** For calls beyond the script. */
  answer?: (request: ModelRequest) => ScriptedAnswer;
} = {}): Promise<ModelServer> {
  const requests: ModelRequest[] = [];
  const queue: ScriptedAnswer[] = [];
  const server = createServer((incoming, response) => {
    serve(incoming, response).catch((error: unknown) => {
      process.stderr.write(`model server: ${error instanceof Error ? error.stack : error}\n`);
      response.destroy();
    });
  });

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    const request: ModelRequest = {
      path: incoming.url ?? '/',
      headers: incoming.headers,
      body: JSON.parse(text || '{}'),
      text,
      aborted: false,
    };
    requests.push(request);
    response.once('close', () => {
      request.aborted = !response.writableFinished;
    });
    if (/count[_-]tokens/.test(request.path)) {
      const count = request.path.includes('count-tokens') ? { inputTokens: 42 } : { input_tokens: 42 };
      send(response, 200, count);
      return;
    }
    await play(queue.shift() ?? answer(request), request, response);
  }

  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    script: (...answers) => void queue.push(...answers),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function play(
  scripted: ScriptedAnswer,
  request: ModelRequest,
  response: ServerResponse,
): Promise<void> {
  const { delayMs = 0, pieceMs = 0, breakAfter, hang, status, body, headers = {}, errorEvent } = scripted;
  if (hang) return;
  if (delayMs > 0) await delay(delayMs);
  if (status !== undefined) {
    send(response, status, body ?? errorOf(request, status), headers);
    return;
  }
  const bedrock = request.path.startsWith('/model/');
  const responses = request.path.endsWith('/responses');
  const streamed = request.body.stream === true || request.path.endsWith('invoke-with-response-stream');
  if (!streamed) {
    const whole = responses ? openaiResponse(scripted, request) : anthropicMessage(scripted, request);
    if (breakAfter === undefined) send(response, 200, whole, headers);
    else if (breakAfter === 0) response.destroy();
    else {
      const text = JSON.stringify(whole);
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
      response.write(text.slice(0, text.length / 2), () => response.destroy());
    }
    return;
  }
  const events = responses ? openaiStream(scripted, request) : anthropicStream(scripted, request);
  const wanted = errorEvent !== undefined ? events.slice(0, breakAfter ?? 0) : events;
  const pieces = bedrock ? bedrockStream(wanted, errorEvent) : wanted.map(serverSent);
  const most = errorEvent === undefined ? (breakAfter ?? pieces.length) : pieces.length;
  if (most === 0 && errorEvent === undefined) {
    response.destroy();
    return;
  }
  const type = bedrock ? 'application/vnd.amazon.eventstream' : 'text/event-stream; charset=utf-8';
  response.writeHead(200, { 'content-type': type, ...headers });
  for (const piece of pieces.slice(0, most)) {
    if (response.destroyed) return;
    if (!response.write(piece)) await writable(response);
    if (pieceMs > 0) await delay(pieceMs);
  }
  if (errorEvent !== undefined && !bedrock) response.write(serverSent(errorEventOf(request, errorEvent)));
  if (breakAfter !== undefined && errorEvent === undefined) setImmediate(() => response.destroy());
  else response.end();
}

/** Resolves as well when the client has gone. */
function writable(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once('drain', resolve).once('close', resolve);
  return promise.finally(() => response.off('drain', resolve).off('close', resolve));
}

export interface ServerSentEvent {
  type: string;
  [field: string]: unknown;
}

const serverSent = (event: ServerSentEvent): Buffer =>
  Buffer.from(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response
    .writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_fake', ...headers })
    .end(text);
}

const errorOf = ({ path }: ModelRequest, status: number): unknown => {
  const message = `scripted ${status}`;
  if (path.startsWith('/model/')) return { message };
  if (path.endsWith('/responses'))
    return { error: { message, type: 'server_error', param: null, code: null } };
  const type = status === 529 ? 'overloaded_error' : status === 429 ? 'rate_limit_error' : 'api_error';
  return { type: 'error', error: { type, message } };
};

const errorEventOf = ({ path }: ModelRequest, message: string): ServerSentEvent =>
  path.endsWith('/responses')
    ? { type: 'error', code: 'server_error', message, param: null }
    : { type: 'error', error: { type: 'overloaded_error', message } };
