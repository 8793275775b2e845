import type { AddressInfo } from 'node:net';
import { createHttpServer, type HttpServerOptions } from '../api/http-server.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';

export interface Listening {
  url: string;
  /** Ends open connections and frees the port. */
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
        close: () =>
          new Promise<void>((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
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
