import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener, RequestError } from '@hono/node-server';
import { type ErrorCode, messageOf } from '../task/errors.ts';
import type { Log } from '../task/log.ts';
import type { ApiApp } from './env.ts';
import type { ErrorEnvelope } from './schemas/envelope.ts';

export interface HttpServerOptions {
  app: Pick<ApiApp, 'fetch'>;
  newId(): string;
  log: Log;
}

/**
 * The app behind a Node server that isn't listening yet. What fails before a request reaches the app (broken HTTP, headers
 * that are too large, a Host that is none) is answered in the API's envelope too.
 */
export function createHttpServer({ app, newId, log }: HttpServerOptions): Server {
  const listener = getRequestListener(app.fetch, {
    errorHandler(error) {
      if (error instanceof RequestError)
        return toResponse(envelope('VALIDATION_ERROR', messageOf(error)), 400);
      const id = newId();
      log.error(
        {
          event: 'api.server.crashed',
          error_id: 'API_REQUEST_FAILED',
          request_id: id,
          error: messageOf(error),
        },
        'a request failed outside of the app',
      );
      return toResponse(envelope('INTERNAL_ERROR', 'something went wrong inside the platform', id), 500);
    },
  });
  const envelope = (code: ErrorCode, message: string, id = newId()): ErrorEnvelope => ({
    error: { code, message, request_id: id },
  });

  // Without a Host the app itself says what is missing.
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    // A client that wants the connection closed may still be sending when its body is refused. Closing then would reset the
    // connection before the answer is read: the rest is drained instead, for a moment, and the client closes.
    if (request.httpVersion === '1.1' && mayBeLarge(request)) response.shouldKeepAlive = true;
    return listener(request, response);
  });
  server.on('checkExpectation', (_request, response) => {
    const body = envelope('VALIDATION_ERROR', 'Expect: only 100-continue is understood');
    response.writeHead(417, headersOf(body)).end(JSON.stringify(body));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const { status, message } = faultOf(error.code);
    endWith(socket, status, envelope('VALIDATION_ERROR', message));
  });
  return server;
}

/** More than what is on its way at once. */
const mayBeLarge = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 16_384;

function faultOf(code: string | undefined): { status: number; message: string } {
  if (code === 'HPE_HEADER_OVERFLOW')
    return { status: 431, message: 'the headers must have at most 16 KiB together' };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return { status: 408, message: 'the request did not arrive in time' };
  return { status: 400, message: 'this is not a valid HTTP request' };
}

const headersOf = ({ error }: ErrorEnvelope): Record<string, string> => ({
  'Content-Type': 'application/json',
  'X-Request-Id': error.request_id,
});

const toResponse = (body: ErrorEnvelope, status: number): Response =>
  new Response(JSON.stringify(body), { status, headers: headersOf(body) });

function endWith(socket: Duplex, status: number, body: ErrorEnvelope): void {
  const text = JSON.stringify(body);
  const headers = {
    ...headersOf(body),
    'Content-Length': String(Buffer.byteLength(text)),
    Connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`);
}
