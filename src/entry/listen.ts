import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpServer, type HttpServerOptions } from '../api/http-server.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';

/** How long requests under way may take to finish, in milliseconds. */
const FINISH_MS = 1_000;

export interface Listening {
  url: string;
  /** Takes no more requests, lets those under way finish for a moment, and frees the port. */
  close(): Promise<void>;
}

/** Serves the app over HTTP; resolves when it is reachable. Throws VALIDATION_ERROR when the address can't be used. */
export function listen({
  host,
  port,
  ...options
}: HttpServerOptions & { host: string; port: number }): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = createHttpServer(options).listen(port, host, () => {
      const { port: bound } = server.address() as AddressInfo;
      resolve({
        url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
        close: () => closeServer(server),
      });
    });
    server.once('error', (error) => {
      reject(
        new BgAgentError(
          'VALIDATION_ERROR',
          `can't listen on ${host}:${port}: ${messageOf(error)}; choose another --port (0 = any free one)`,
          { cause: error, field: 'port' },
        ),
      );
    });
  });
}

async function closeServer(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), FINISH_MS);
  // Connections that are kept for a next request are closed at once.
  await new Promise<void>((closed) => server.close(() => closed()));
  clearTimeout(timer);
}
