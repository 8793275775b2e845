import type { Agent, IncomingMessage } from 'node:http';
import { BgAgentError } from '../../../task/errors.ts';
import { NetworkFailure, type UpstreamAnswer } from './upstream.ts';

// Not by `import`: that would make Node load all that node:http exports, fetch and WebSocket included.
const http = process.getBuiltinModule('node:http');

/** How long a connection may take to be made; an answer may take as long as it likes. */
const CONNECT_TIMEOUT_MS = 30_000;

const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/;

/** A provider's web server, by kept connections. */
export interface HttpTarget {
  post(path: string, request: PostRequest): Promise<UpstreamAnswer>;
  close(): void;
}

export interface PostRequest {
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  signal: AbortSignal;
}

/** Where to reach a provider. */
export interface Address {
  /** With or without `/v1` at its end. Throws VALIDATION_ERROR unless it's http(s) without a name or password in it. */
  baseUrl: string;
  /** `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, where the way out is a proxy. It's no way to this machine itself. */
  proxy?: Readonly<Record<string, string | undefined>>;
}

export function createHttpTarget({ baseUrl, proxy }: Address): HttpTarget {
  const base = checked(baseUrl);
  const secure = base.protocol === 'https:';
  const { request, Agent } = secure ? process.getBuiltinModule('node:https') : http;
  const agent: Agent = new Agent({
    keepAlive: true,
    scheduling: 'lifo',
    ...(proxy && !LOOPBACK.test(base.hostname) ? { proxyEnv: { ...proxy } } : {}),
  });
  const prefix = base.pathname.replace(/\/+$/, '').replace(/\/v1$/, '');
  return {
    async post(path, { headers, body, signal }) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<UpstreamAnswer>();
      let sent = false;
      const outgoing = request(
        {
          protocol: base.protocol,
          hostname: base.hostname.replace(/^\[|\]$/g, ''),
          port: base.port || (secure ? 443 : 80),
          path: `${prefix}${path}`,
          method: 'POST',
          agent,
          signal,
          headers: {
            ...headers,
            'content-type': 'application/json',
            'content-length': body.length,
            'accept-encoding': 'identity',
            'user-agent': 'bgagent',
          },
        },
        (incoming) => resolve(answerOf(incoming)),
      );
      outgoing.once('socket', (socket) => {
        if (!socket.connecting) return;
        const timer = setTimeout(
          () => outgoing.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`)),
          CONNECT_TIMEOUT_MS,
        );
        const made = (): void => clearTimeout(timer);
        socket.once(secure ? 'secureConnect' : 'connect', made);
        socket.once('close', made);
      });
      outgoing.once('finish', () => {
        sent = true;
      });
      // Stays: a connection that breaks after the head is told by the body as well.
      outgoing.on('error', (error) => {
        // A kept connection that the other side has just closed has worked on nothing.
        const reached = sent && !outgoing.reusedSocket;
        reject(
          signal.aborted ? signal.reason : new NetworkFailure(messageFor(error), { reached, cause: error }),
        );
      });
      outgoing.end(body);
      return promise;
    },
    close: () => agent.destroy(),
  };
}

function answerOf(incoming: IncomingMessage): UpstreamAnswer {
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
  return { status: incoming.statusCode ?? 0, headers, body: incoming };
}

/** The code says it best, and holds no address. */
const messageFor = (error: Error): string =>
  'code' in error && typeof error.code === 'string' ? error.code : error.message;

function checked(baseUrl: string): URL {
  const url = URL.parse(baseUrl);
  const right =
    url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.search === '';
  if (!right)
    throw new BgAgentError(
      'VALIDATION_ERROR',
      'the address of the model provider must be an http(s) URL without credentials and query',
      {
        field: 'base_url',
      },
    );
  return url;
}
