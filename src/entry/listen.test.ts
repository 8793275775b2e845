import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { listen } from './listen.ts';

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const newId = (): string => '01ARZ3NDEKTSV4RRFFQ69G5FAV';

describe('the server', () => {
  it('lets a request under way finish when it closes, and takes no more', async () => {
    const arrived = new AbortController();
    const release = Promise.withResolvers<Response>();
    const app = {
      fetch: () => {
        arrived.abort();
        return release.promise;
      },
    };
    const server = await listen({ app, newId, log, host: '127.0.0.1', port: 0 });
    const answer = fetch(server.url);
    if (!arrived.signal.aborted) await once(arrived.signal, 'abort');
    const closed = server.close();
    await expect(fetch(server.url)).rejects.toThrow();
    release.resolve(new Response('done'));
    expect(await (await answer).text()).toBe('done');
    await closed;
  });

  it('says that a port is taken, and what to do', async () => {
    const app = { fetch: () => new Response('') };
    const server = await listen({ app, newId, log, host: '127.0.0.1', port: 0 });
    const port = Number(new URL(server.url).port);
    await expect(listen({ app, newId, log, host: '127.0.0.1', port })).rejects.toThrow(
      /can't listen on .*--port/,
    );
    await server.close();
  });
});
