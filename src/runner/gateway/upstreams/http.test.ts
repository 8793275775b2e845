import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createModelServer, type ModelServer } from '../../../../test/fakes/model-server.ts';
import {
  type ConnectProxy,
  createConnectProxy,
  opensslMissing,
} from '../../../../test/fixtures/connect-proxy.ts';
import { createHttpTarget } from './http.ts';

const HOST = 'models.invalid';
const missing = opensslMissing();

describe.skipIf(missing)(`the way to a provider by a proxy${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const known = getCACertificates();
  let server: ModelServer;
  let proxy: ConnectProxy;
  beforeEach(async () => {
    server = await createModelServer();
    proxy = await createConnectProxy({ host: HOST, port: Number(new URL(server.url).port) });
    setDefaultCACertificates([...known, proxy.certificate]);
  });
  afterEach(async () => {
    setDefaultCACertificates(known);
    await proxy.close();
    await server.close();
  });

  const post = async (baseUrl: string, variables: Record<string, string>): Promise<number> => {
    const target = createHttpTarget({ baseUrl, proxy: variables });
    try {
      const body = Buffer.from(JSON.stringify({ model: 'main', max_tokens: 1, messages: [] }));
      const signal = new AbortController().signal;
      const answer = await target.post('/v1/messages', { headers: {}, body, signal });
      answer.body.resume();
      return answer.status;
    } finally {
      target.close();
    }
  };

  it.each(['HTTPS_PROXY', 'https_proxy'])(
    'is a tunnel to the provider, which alone sees the request: %s',
    async (name) => {
      expect(await post(`https://${HOST}`, { [name]: proxy.url })).toBe(200);
      expect(proxy.tunnels).toEqual([`${HOST}:443`]);
      expect(server.requests.map(({ path }) => path)).toEqual(['/v1/messages']);
    },
  );

  it('is not taken to a host that NO_PROXY names', async () => {
    await expect(post(`https://${HOST}`, { HTTPS_PROXY: proxy.url, NO_PROXY: HOST })).rejects.toThrow();
    expect(proxy.tunnels).toEqual([]);
  });

  it('is never taken to this machine', async () => {
    const variables = { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url };
    expect(await post(server.url, variables)).toBe(200);
    expect(await post(server.url.replace('127.0.0.1', 'localhost'), variables)).toBe(200);
    expect(proxy.tunnels).toEqual([]);
  });

  it('that is closed is an error with a reason', async () => {
    await expect(post(`https://${HOST}`, { HTTPS_PROXY: 'http://127.0.0.1:9' })).rejects.toThrow(
      'ECONNREFUSED',
    );
  });
});
