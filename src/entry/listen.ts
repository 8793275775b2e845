import type { Server } from 'node:http';
import { type HttpBindings, serve } from '@hono/node-server';
import type { Hono } from 'hono';
import { BgAgentError, messageOf } from '../task/errors.ts';

export interface Listening {
  url: string;
  /** Ends open connections and frees the port. */
  close(): Promise<void>;
}

/** Serves the app over HTTP; resolves when it is reachable. Throws VALIDATION_ERROR when the address can't be used. */
export function listen(app: Pick<Hono<{ Bindings: HttpBindings }>, 'fetch'>, { host, port }: { host: string; port: number }): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port }, ({ port: bound }) => {
      resolve({
        url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
        close: () =>
          new Promise<void>((closed) => {
            server.close(() => closed());
            (server as Server).closeAllConnections();
          }),
      });
    });
    server.once('error', (error) => {
      reject(new BgAgentError('VALIDATION_ERROR', `can't listen on ${host}:${port}: ${messageOf(error)}; choose another --port (0 = any free one)`, { cause: error, field: 'port' }));
    });
  });
}
