import { createHash, createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { ModelRequest } from '../../../../test/fakes/model-server.ts';
import {
  createGatewayWorld,
  eventsIn,
  type GatewayWorld,
  message,
} from '../../../../test/fixtures/gateway.ts';
import { type AwsCredential, createBedrockUpstream } from './bedrock.ts';

const AWS: AwsCredential = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'aws-secret-planted',
  sessionToken: 'session-planted',
};
const NOW = Date.parse('2026-01-02T03:04:05Z');

let world: GatewayWorld;
const open = async (credential = async () => AWS): Promise<GatewayWorld> => {
  world = await createGatewayWorld({
    connect: (baseUrl) =>
      createBedrockUpstream({
        baseUrl,
        region: 'eu-central-1',
        credential,
        modelIds: { main: 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0' },
        now: () => NOW,
      }),
  });
  return world;
};
afterEach(() => world?.close());

describe('Claude on Bedrock', () => {
  it('streams as Anthropic does, and is booked', async () => {
    const { post, provider, usages } = await open();
    provider.script({
      tools: [{ name: 'read', input: { path: 'ä'.repeat(9_000) } }],
      usage: { input: 4, output: 2, cacheRead: 10 },
    });
    const answer = await post('/v1/messages', message({ stream: true }));
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const events = eventsIn(await answer.text());
    expect(events[0]).toMatchObject({ type: 'message_start' });
    expect(events.at(-1)).toEqual({ type: 'message_stop' });
    expect(usages).toMatchObject([{ costUsd: 4 + 20 + 1, estimated: false }]);
  });

  it('is asked for by its own id, with the version in the body and without model and stream', async () => {
    const { post, provider } = await open();
    const headers = { 'anthropic-beta': 'interleaved-thinking-2025-05-14,unheard-of-2030-01-01' };
    await (await post('/v1/messages', message({ stream: true }), { headers })).text();
    await (await post('/v1/messages', message())).text();
    const [streamed, whole] = provider.requests;
    const id = 'eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0';
    expect(streamed?.path).toBe(`/model/${id}/invoke-with-response-stream`);
    expect(whole?.path).toBe(`/model/${id}/invoke`);
    expect(streamed?.body).toEqual({
      anthropic_version: 'bedrock-2023-05-31',
      anthropic_beta: ['interleaved-thinking-2025-05-14'],
      max_tokens: 1_000,
      messages: [{ role: 'user', content: 'Hello' }],
    });
  });

  it('gets requests that AWS would take for ours', async () => {
    const { post, provider } = await open();
    await post('/v1/messages', message());
    const [request] = provider.requests;
    expect(request?.headers['x-amz-date']).toBe('20260102T030405Z');
    expect(request?.headers.authorization).toBe(request && signatureOf(request));
  });

  it('counts tokens', async () => {
    const { post, provider } = await open();
    const answer = await post('/v1/messages/count_tokens', { model: 'main', messages: [] });
    expect(await answer.json()).toEqual({ input_tokens: 42 });
    const [{ input } = {}] = provider.requests.map(({ body }) => body);
    expect(input).toEqual({ invokeModel: { body: expect.any(String) } });
    const { body } = (input as { invokeModel: { body: string } }).invokeModel;
    expect(JSON.parse(Buffer.from(body, 'base64').toString())).toMatchObject({ max_tokens: 1, messages: [] });
  });

  it.each([
    [400, 'ValidationException:http://internal.amazon.com/', 'invalid_request_error'],
    [403, 'AccessDeniedException', 'permission_error'],
    [404, 'ResourceNotFoundException', 'not_found_error'],
    [418, 'NobodyKnowsException', 'api_error'],
  ])('tells its errors as Anthropic would: %i %s', async (status, type, expected) => {
    const { post, provider } = await open();
    provider.script({ status, headers: { 'x-amzn-errortype': type } });
    const answer = await post('/v1/messages', message({ stream: true }));
    expect(answer.status).toBe(status);
    expect(await answer.json()).toEqual({
      type: 'error',
      error: { type: expected, message: `scripted ${status}` },
    });
  });

  it('tells an exception in the stream as an error, and the call is charged by estimate', async () => {
    const { post, provider, usages } = await open();
    provider.script({ text: 'abcdef', breakAfter: 4, errorEvent: 'the model broke' });
    const events = eventsIn(await (await post('/v1/messages', message({ stream: true }))).text());
    expect(events.at(-1)).toEqual({
      type: 'error',
      error: { type: 'api_error', message: 'the model broke' },
    });
    expect(usages).toMatchObject([{ inputTokens: 100, estimated: true }]);
  });

  it('is tried again when it throttles or breaks off at once', async () => {
    const { post, provider } = await open();
    provider.script({ status: 429 }, { errorEvent: 'later' }, { breakAfter: 0 });
    const text = await (await post('/v1/messages', message({ stream: true }))).text();
    expect(eventsIn(text).at(-1)).toEqual({ type: 'message_stop' });
    expect(provider.requests).toHaveLength(4);
  });

  it('gets new credentials when the old ones have ended', async () => {
    const fresh = { ...AWS, accessKeyId: 'AKIDFRESH' };
    const { post, provider } = await open(async (refused?: AwsCredential) => (refused ? fresh : AWS));
    provider.script({ status: 403, headers: { 'x-amzn-errortype': 'ExpiredTokenException' } });
    expect((await post('/v1/messages', message())).status).toBe(200);
    expect(provider.requests[1]?.headers.authorization).toContain('AKIDFRESH');
  });

  it('refuses a region that is none', () => {
    expect(() => createBedrockUpstream({ region: 'x.example.com/', credential: async () => AWS })).toThrow(
      /us-east-1/,
    );
  });
});

/** Signature Version 4, written down from its description. */
function signatureOf({ path, headers, text }: ModelRequest): string {
  const sha = (of: string): string => createHash('sha256').update(of).digest('hex');
  const hmac = (key: string | Buffer, of: string): Buffer => createHmac('sha256', key).update(of).digest();
  const signed = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1] ?? '';
  const canonical = [
    'POST',
    path.split('/').map(encodeURIComponent).join('/'),
    '',
    ...signed.split(';').map((name) => `${name}:${headers[name]}`),
    '',
    signed,
    sha(text),
  ].join('\n');
  const scope = '20260102/eu-central-1/bedrock/aws4_request';
  const toSign = ['AWS4-HMAC-SHA256', '20260102T030405Z', scope, sha(canonical)].join('\n');
  const key = scope
    .split('/')
    .reduce<string | Buffer>((from, part) => hmac(from, part), `AWS4${AWS.secretAccessKey}`);
  return `AWS4-HMAC-SHA256 Credential=${AWS.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${hmac(key, toSign).toString('hex')}`;
}
