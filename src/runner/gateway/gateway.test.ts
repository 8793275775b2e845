import { afterEach, describe, expect, it } from 'vitest';
import {
  createGatewayWorld,
  eventsIn,
  type GatewayWorld,
  message,
  PLATFORM_KEY,
  type WorldOptions,
} from '../../../test/fixtures/gateway.ts';
import { openGateway } from './gateway.ts';
import { createAnthropicUpstream } from './upstreams/anthropic.ts';

let world: GatewayWorld;
const open = async (options?: WorldOptions): Promise<GatewayWorld> => {
  world = await createGatewayWorld(options);
  return world;
};
afterEach(() => world?.close());

describe('a gateway for Anthropic Messages', () => {
  it('passes a stream on as it is, and books what it used (R3)', async () => {
    const { post, provider, gateway, usages } = await open();
    provider.script({
      text: 'Hello there.',
      usage: { input: 5, output: 7, cacheWrite: 2, cacheWrite1h: 1, cacheRead: 10 },
    });
    const answer = await post('/v1/messages?beta=true', message({ stream: true }));
    const text = await answer.text();
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    expect(eventsIn(text).map(({ type }) => type)).toEqual([
      'message_start',
      'ping',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    // 5 in, 7 out, 2 written for five minutes, 1 for an hour, 10 read.
    const costUsd = 5 + 70 + 4 + 3 + 1;
    expect(usages).toEqual([
      {
        model: 'main',
        costUsd,
        inputTokens: 18,
        outputTokens: 7,
        cacheWriteTokens: 3,
        cacheReadTokens: 10,
        estimated: false,
      },
    ]);
    expect(gateway.usage()).toEqual({
      costUsd,
      inputTokens: 18,
      outputTokens: 7,
      turnsAttempted: 1,
      turns: 1,
      calls: 1,
    });
  });

  it('passes an answer on that is not streamed', async () => {
    const { post, provider, usages } = await open();
    provider.script({ tools: [{ name: 'read', input: { path: 'a' } }], usage: { input: 3, output: 4 } });
    const answer = await post('/v1/messages', message());
    expect(await answer.json()).toMatchObject({ stop_reason: 'tool_use', content: [{ name: 'read' }] });
    expect(usages).toMatchObject([{ costUsd: 43, estimated: false }]);
  });

  it('counts tokens for nothing', async () => {
    const { post, gateway } = await open();
    const answer = await post('/v1/messages/count_tokens', message());
    expect(await answer.json()).toEqual({ input_tokens: 42 });
    expect(gateway.usage()).toMatchObject({ calls: 0, costUsd: 0 });
  });

  it('lists its models, and says that it is there', async () => {
    const { gateway } = await open();
    const list = await fetch(`${gateway.url}/v1/models`, {
      headers: { authorization: `Bearer ${gateway.key}` },
    });
    expect(await list.json()).toMatchObject({ data: [{ id: 'main' }, { id: 'small' }] });
    expect((await fetch(gateway.url, { method: 'HEAD' })).status).toBe(200);
  });

  it('counts calls of the main model as turns, others not', async () => {
    const { post, gateway } = await open();
    await (await post('/v1/messages', message({ model: 'small' }))).text();
    await (await post('/v1/messages', message())).text();
    expect(gateway.usage()).toMatchObject({ turns: 1, calls: 2 });
  });

  it('takes the larger of two reports that contradict each other, and no nonsense', async () => {
    const { post, provider, usages } = await open();
    provider.script(
      { usage: { raw: { input_tokens: 5, output_tokens: 9 } } },
      { usage: { raw: { input_tokens: -5, output_tokens: 'many', cache_read_input_tokens: null } } },
      {
        usage: {
          raw: { input_tokens: 1, iterations: [{ input_tokens: 4, output_tokens: 2 }, { input_tokens: 3 }] },
        },
      },
    );
    for (let call = 0; call < 3; call += 1)
      await (await post('/v1/messages', message({ stream: true }))).text();
    expect(usages.map(({ inputTokens, outputTokens }) => [inputTokens, outputTokens])).toEqual([
      [5, 9],
      [0, 0],
      [7, 2],
    ]);
  });

  it('does not wait for the end of an answer before it passes on the beginning', async () => {
    const { post, provider } = await open();
    provider.script({ hang: false, pieceMs: 20, text: 'slow' });
    const answer = await post('/v1/messages', message({ stream: true }));
    const reader = answer.body?.getReader();
    const first = Buffer.from((await reader?.read())?.value ?? []).toString('utf8');
    expect(first).toContain('message_start');
    expect(first).not.toContain('message_stop');
    await reader?.cancel();
  });

  it('passes a large answer on no faster than the agent reads, whole', async () => {
    const { post, provider } = await open();
    const text = 'x'.repeat(3_000_000);
    provider.script({ text });
    const answer = await post('/v1/messages', message({ stream: true }));
    const got = eventsIn(await answer.text())
      .map(({ delta }) => (delta as { text?: string } | undefined)?.text ?? '')
      .join('');
    expect(got === text).toBe(true);
  });
});

describe('a gateway for OpenAI Responses', () => {
  it.each([true, false])('passes an answer on and books it (stream: %s)', async (stream) => {
    const { post, provider, usages } = await open({ api: 'openai' });
    provider.script({
      tools: [{ name: 'shell', input: { command: ['ls'] } }],
      usage: { input: 5, output: 2, cacheRead: 10 },
    });
    const answer = await post(
      '/v1/responses',
      { model: 'main', input: 'Hello', stream },
      { headers: { authorization: `Bearer ${world.gateway.key}` } },
    );
    const text = await answer.text();
    expect(text).toContain('function_call');
    if (stream) expect(eventsIn(text).at(-1)).toMatchObject({ type: 'response.completed' });
    expect(usages).toMatchObject([
      { costUsd: 5 + 20 + 1, inputTokens: 15, cacheReadTokens: 10, estimated: false },
    ]);
    expect(provider.requests[0]?.headers.authorization).toBe(`Bearer ${PLATFORM_KEY}`);
  });

  it('answers in the form of its API when it refuses', async () => {
    const { post } = await open({ api: 'openai' });
    const answer = await post('/v1/responses', { model: 'other', input: 'Hello' });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({
      error: {
        message: 'the model "other" is not allowed here; allowed: main, small',
        type: 'invalid_request_error',
        param: null,
        code: null,
      },
    });
    expect((await post('/v1/messages', message())).status).toBe(404);
  });
});

describe('a gateway refuses', () => {
  it.each([
    ['a model that is not the task’s', message({ model: 'claude-opus-9' }), 404, /allowed: main, small/],
    ['what is not JSON', 'hello', 400, /must be a JSON object/],
    ['a list', '[]', 400, /must be a JSON object/],
    ['no model', {}, 400, /model/],
    [
      'tools that the provider runs',
      message({ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }),
      400,
      /web_search_20250305/,
    ],
    [
      'servers that the provider calls',
      message({ mcp_servers: [{ url: 'https://example.com' }] }),
      400,
      /mcp_servers/,
    ],
    ['a faster mode at another price', message({ speed: 'fast' }), 400, /speed/],
    ['a better tier at another price', message({ service_tier: 'priority' }), 400, /service_tier/],
    [
      'pictures that the provider fetches',
      message({
        messages: [
          {
            role: 'user',
            content: [{ type: 'image', source: { type: 'url', url: 'https://example.com/?leak' } }],
          },
        ],
      }),
      400,
      /content by url/,
    ],
    [
      'other people’s files',
      message({
        messages: [
          {
            role: 'user',
            content: [
              {
                type: 'tool_result',
                content: [{ type: 'document', source: { type: 'file', file_id: 'file_1' } }],
              },
            ],
          },
        ],
      }),
      400,
      /file_id/,
    ],
  ])('%s', async (_what, body, status, text) => {
    const { post, provider, gateway } = await open();
    const answer = await post('/v1/messages', body);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(await answer.json()).toMatchObject({
      type: 'error',
      error: { message: expect.stringMatching(text) },
    });
    expect(provider.requests).toEqual([]);
    expect(gateway.usage().calls).toBe(0);
  });

  it.each([
    ['background', true],
    ['previous_response_id', 'resp_1'],
    ['tools', [{ type: 'web_search' }]],
    ['service_tier', 'priority'],
    ['input', [{ type: 'message', content: [{ type: 'input_image', image_url: 'https://example.com' }] }]],
  ])('%s of Responses', async (name, value) => {
    const { post, provider } = await open({ api: 'openai' });
    const answer = await post('/v1/responses', { model: 'main', input: 'Hello', [name]: value });
    expect(answer.status).toBe(400);
    expect(provider.requests).toEqual([]);
  });

  it('what may look like a reference but is a tool’s own input: not', async () => {
    const { post } = await open();
    const content = [
      { type: 'tool_use', id: 't', name: 'fetch', input: { type: 'url', url: 'https://example.com' } },
    ];
    const answer = await post('/v1/messages', message({ messages: [{ role: 'assistant', content }] }));
    expect(answer.status).toBe(200);
  });

  it.each([{}, { 'x-api-key': 'wrong' }, { authorization: 'Bearer wrong' }])(
    'a key that is not its own: %o',
    async (headers) => {
      const { gateway, provider } = await open();
      const answer = await fetch(`${gateway.url}/v1/messages`, { method: 'POST', body: '{}', headers });
      expect(answer.status).toBe(401);
      expect(provider.requests).toEqual([]);
    },
  );

  it('bodies that are too large, also without a length', async () => {
    const { post } = await open({ maxRequestBytes: 1_000 });
    expect((await post('/v1/messages', message({ system: 'x'.repeat(2_000) }))).status).toBe(413);
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(Buffer.alloc(400, 'x'));
      },
    });
    const sent = post('/v1/messages', '', { body, duplex: 'half' } as RequestInit);
    // The connection may be cut before the whole body is sent.
    expect(await sent.then(({ status }) => status).catch(() => 413)).toBe(413);
  });

  it('more at once than there is memory for, until there is again', async () => {
    const { post, provider } = await open({ maxRequestBytes: 10_000 });
    const body = message({ system: 'x'.repeat(9_000) });
    provider.script(...Array.from({ length: 20 }, () => ({ delayMs: 50 })));
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('/v1/messages', body)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers.get('retry-after')).toBe('1');
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    expect((await post('/v1/messages', body)).status).toBe(200);
  });

  it('what is nested deeper than anybody reads', async () => {
    const { post } = await open();
    const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    expect((await post('/v1/messages', `{"model":"main","system":${deep(500_000)}}`)).status).toBe(400);
    expect((await post('/v1/messages', `{"model":"main","messages":${deep(100)}}`)).status).toBe(400);
  });

  it('models that nobody has priced, before it opens', async () => {
    const upstream = createAnthropicUpstream({ credential: async () => ({ kind: 'bearer', value: 'x' }) });
    const opening = openGateway({
      upstream,
      models: { main: 'claude-opus-5-5', small: 'claude-haiku-99' },
      limits: { maxTurns: 1, maxBudgetUsd: 1 },
    });
    await expect(opening).rejects.toMatchObject({
      code: 'MODEL_NOT_PRICED',
      message: expect.stringContaining('claude-haiku-99'),
    });
  });

  it('to send what was judged otherwise: a field that comes twice', async () => {
    const { post, provider } = await open();
    await post('/v1/messages', '{"model":"claude-opus-9","max_tokens":9,"messages":[],"model":"main"}');
    expect(provider.requests[0]?.text).not.toContain('claude-opus-9');
  });
});
