import { createServer } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ScriptedAnswer } from '../../../test/fakes/model-server.ts';
import {
  createGatewayWorld,
  eventsIn,
  type GatewayWorld,
  message,
  type WorldOptions,
} from '../../../test/fixtures/gateway.ts';
import { createAnthropicUpstream } from './upstreams/anthropic.ts';

let world: GatewayWorld;
const open = async (options?: WorldOptions): Promise<GatewayWorld> => {
  world = await createGatewayWorld(options);
  return world;
};
afterEach(() => world?.close());

describe('what may pass is tried again', () => {
  it.each([429, 500, 502, 503, 504, 529])('status %i', async (status) => {
    const { post, provider, waits, usages } = await open();
    provider.script({ status }, { status }, { usage: { input: 1, output: 1 } });
    const answer = await post('/v1/messages', message({ stream: true }));
    expect(answer.status).toBe(200);
    expect(eventsIn(await answer.text()).at(-1)).toEqual({ type: 'message_stop' });
    expect(waits).toEqual([500, 1_000]);
    expect(usages).toMatchObject([{ costUsd: 11, estimated: false }]);
  });

  it('as late as the provider asks', async () => {
    const { post, provider, waits } = await open({ now: () => Date.parse('2026-01-01T00:00:00Z') });
    provider.script(
      { status: 429, headers: { 'retry-after': '7' } },
      { status: 529, headers: { 'retry-after': 'Thu, 01 Jan 2026 00:00:20 GMT' } },
    );
    expect((await post('/v1/messages', message())).status).toBe(200);
    expect(waits).toEqual([7_000, 20_000]);
  });

  it('a stream whose first event is an error', async () => {
    const { post, provider, usages } = await open();
    provider.script({ errorEvent: 'Overloaded' });
    expect(await (await post('/v1/messages', message({ stream: true }))).text()).not.toContain('Overloaded');
    expect(usages).toHaveLength(1);
  });

  it.each([true, false])(
    'a connection that breaks before the first byte, charged by estimate (stream: %s)',
    async (stream) => {
      const { post, provider, usages } = await open();
      provider.script({ breakAfter: 0 }, { usage: { input: 1, output: 1 } });
      const answer = await post('/v1/messages', message({ stream }));
      await answer.text();
      expect(provider.requests).toHaveLength(2);
      expect(usages).toMatchObject([{ estimated: true }]);
      const bytes = provider.requests[0]?.text.length ?? 0;
      expect(usages[0]?.inputTokens).toBe(Math.ceil(bytes / 4) + 1);
    },
  );

  it('five times at most; then the agent gets the provider’s own error, for nothing', async () => {
    const { post, provider, usages, gateway } = await open();
    provider.script(...Array.from({ length: 5 }, () => ({ status: 529 })));
    const answer = await post('/v1/messages', message());
    expect(answer.status).toBe(529);
    expect(await answer.json()).toEqual({
      type: 'error',
      error: { type: 'overloaded_error', message: 'scripted 529' },
    });
    expect(answer.headers.get('request-id')).toBe('req_fake');
    expect(provider.requests).toHaveLength(5);
    expect(usages).toEqual([]);
    expect(gateway.usage()).toMatchObject({ turns: 0, turnsAttempted: 1, costUsd: 0 });
  });

  it('no more when the agent has gone', async () => {
    const waiting = Promise.withResolvers<void>();
    const { post, provider, gateway } = await open({
      sleep: (_ms, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          waiting.resolve();
        }),
    });
    provider.script({ status: 529 });
    const controller = new AbortController();
    const call = post('/v1/messages', message(), { signal: controller.signal });
    await waiting.promise;
    controller.abort();
    await expect(call).rejects.toThrow();
    await gateway.close();
    expect(provider.requests).toHaveLength(1);
    expect(gateway.usage().costUsd).toBe(0);
  });
});

describe('what will not pass is told at once', () => {
  it.each<[ScriptedAnswer]>([
    [
      {
        status: 400,
        body: { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long' } },
      },
    ],
    [{ status: 429, headers: { 'retry-after': '3600' } }],
    [{ status: 500, headers: { 'x-should-retry': 'false' } }],
  ])('%o', async (scripted) => {
    const { post, provider, waits } = await open();
    provider.script(scripted);
    const answer = await post('/v1/messages', message());
    expect(answer.status).toBe(scripted.status);
    expect(await answer.json()).toMatchObject(scripted.body ?? { type: 'error' });
    expect(answer.headers.get('retry-after')).toBe(scripted.headers?.['retry-after'] ?? null);
    expect(waits).toEqual([]);
  });

  it('a page of something else that answers in the provider’s place, in the form of the API', async () => {
    const { post, provider } = await open();
    provider.script({ status: 403, body: '<h1>Forbidden</h1>', headers: { 'content-type': 'text/html' } });
    const answer = await post('/v1/messages', message());
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual({
      type: 'error',
      error: { type: 'permission_error', message: '<h1>Forbidden</h1>' },
    });
  });

  it('a provider that is not there', async () => {
    const port = await freePort();
    const { post, gateway } = await open({
      connect: () =>
        createAnthropicUpstream({
          baseUrl: `http://127.0.0.1:${port}`,
          credential: async () => ({ kind: 'api_key', value: 'x' }),
        }),
    });
    const answer = await post('/v1/messages', message());
    expect(answer.status).toBe(502);
    expect(await answer.json()).toMatchObject({
      error: { type: 'api_error', message: expect.stringContaining('ECONNREFUSED') },
    });
    expect(gateway.usage().costUsd).toBe(0);
  });
});

describe('what the provider could not tell is charged by estimate', () => {
  it('a stream that breaks off: input as told, output by what came, and the agent is told', async () => {
    const { post, provider, usages, logs } = await open({ now: () => 0 });
    provider.script({ text: 'x'.repeat(600), usage: { input: 9, output: 500 }, breakAfter: 5 });
    const answer = await post('/v1/messages', message({ stream: true }));
    expect(eventsIn(await answer.text()).at(-1)).toMatchObject({
      type: 'error',
      error: { type: 'api_error' },
    });
    expect(usages).toMatchObject([{ inputTokens: 9, outputTokens: 200, estimated: true }]);
    expect(logs).toMatchObject([{ event: 'gateway.stream_broken' }]);
    expect(world.gateway.usage()).toMatchObject({ turns: 1 });
  });

  it('a stream that ends cleanly but too early', async () => {
    const { post, provider, usages } = await open();
    provider.script({ text: 'abcdef', usage: { input: 9 }, errorEvent: 'Overloaded', breakAfter: 4 });
    const events = eventsIn(await (await post('/v1/messages', message({ stream: true }))).text());
    expect(events.filter(({ type }) => type === 'error')).toHaveLength(1);
    expect(usages).toMatchObject([{ inputTokens: 9, estimated: true }]);
  });

  it('half an answer that is not streamed: the connection is cut', async () => {
    const { post, provider, usages } = await open();
    provider.script({ text: 'x'.repeat(5_000), breakAfter: 1 });
    await expect(post('/v1/messages', message()).then((answer) => answer.text())).rejects.toThrow();
    await vi.waitFor(() => expect(usages).toMatchObject([{ estimated: true }]), { timeout: 20_000 });
  });

  it('by the time it took, where nothing can be seen of the thinking; never over the call’s own limit', async () => {
    let now = 0;
    const { post, provider, usages } = await open({ now: () => now });
    provider.script({ text: 'abc', usage: { input: 1 }, hang: true });
    const controller = new AbortController();
    const call = post('/v1/messages', message({ max_tokens: 300 }), { signal: controller.signal });
    await vi.waitFor(() => expect(provider.requests).toHaveLength(1), { timeout: 20_000 });
    now = 3_600_000;
    controller.abort();
    await expect(call).rejects.toThrow();
    await vi.waitFor(() => expect(usages).toMatchObject([{ outputTokens: 300, estimated: true }]), {
      timeout: 20_000,
    });
  });
});

describe('an agent that goes', () => {
  it('ends the call at the provider', async () => {
    const { post, provider, usages } = await open();
    provider.script({ text: 'x'.repeat(400_000), pieceMs: 5 });
    const controller = new AbortController();
    const answer = await post('/v1/messages', message({ stream: true }), { signal: controller.signal });
    await answer.body?.getReader().read();
    controller.abort();
    await vi.waitFor(() => expect(provider.requests[0]?.aborted).toBe(true), { timeout: 20_000 });
    await vi.waitFor(() => expect(usages).toMatchObject([{ inputTokens: 100, estimated: true }]), {
      timeout: 20_000,
    });
  });
});

describe('a gateway that closes', () => {
  it('ends and books what is under way', async () => {
    const { post, provider, gateway, usages } = await open();
    provider.script({ hang: true });
    const call = post('/v1/messages', message({ stream: true }));
    const failed = expect(call).rejects.toThrow();
    await vi.waitFor(() => expect(provider.requests).toHaveLength(1), { timeout: 20_000 });
    await gateway.close();
    await failed;
    expect(usages).toMatchObject([{ estimated: true }]);
    await expect(fetch(gateway.url)).rejects.toThrow();
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
