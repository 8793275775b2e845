import { afterEach, describe, expect, it } from 'vitest';
import type { ScriptedAnswer } from '../../../test/fakes/model-server.ts';
import {
  createGatewayWorld,
  type GatewayWorld,
  message,
  PLATFORM_KEY,
} from '../../../test/fixtures/gateway.ts';
import { type AwsCredential, createBedrockUpstream } from './upstreams/bedrock.ts';

const AWS: AwsCredential = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'aws-planted-b81c',
  sessionToken: 'sts-planted-c92d',
};

let world: GatewayWorld;
afterEach(() => world?.close());

/** Every way in which a careless provider could repeat what it was given. */
const leaks = (secret: string): [string, ScriptedAnswer][] => [
  [
    'an error',
    {
      status: 400,
      body: { type: 'error', error: { type: 'invalid_request_error', message: `bad ${secret}` } },
    },
  ],
  ['an error page', { status: 500, body: `<p>${secret}</p>`, headers: { 'x-should-retry': 'false' } }],
  ['a header', { headers: { 'request-id': secret, 'x-echo': secret, 'set-cookie': secret } }],
  ['an event of the stream', { errorEvent: `bad ${secret}` }],
  ['the text', { text: `${secret}` }],
  ['a refusal that is tried again', { status: 529, body: secret }],
];

describe('the platform’s credentials (N2)', () => {
  it.each(
    leaks(PLATFORM_KEY).flatMap(([where, scripted]) =>
      [true, false].map((stream) => ({ where, scripted, stream })),
    ),
  )('do not reach the agent in $where (stream: $stream)', async ({ scripted, stream }) => {
    world = await createGatewayWorld();
    world.provider.script(...Array.from({ length: 5 }, () => scripted));
    const answer = await world.post('/v1/messages', message({ stream }));
    const seen = [await answer.text(), ...answer.headers.entries(), JSON.stringify(world.logs)].join('\n');
    expect(seen).not.toContain(PLATFORM_KEY);
    expect(world.provider.requests[0]?.headers['x-api-key']).toBe(PLATFORM_KEY);
  });

  it('that is no secret, but what a server takes that takes any key, spoils no answer', async () => {
    world = await createGatewayWorld({ apiKey: 'x' });
    world.provider.script({ text: 'next: fix the text' });
    const answer = await world.post('/v1/messages', message({ stream: true }));
    const seen = await answer.text();
    expect(seen).toContain('"text":"next: fix"');
    expect(seen).not.toContain('redacted');
    expect(world.provider.requests[0]?.headers['x-api-key']).toBe('x');
  });

  it.each(['secretAccessKey', 'sessionToken'] as const)('of AWS neither: %s', async (name) => {
    const secret = AWS[name] ?? '';
    world = await createGatewayWorld({
      connect: (baseUrl) =>
        createBedrockUpstream({ baseUrl, region: 'us-east-1', credential: async () => AWS }),
    });
    for (const [, scripted] of leaks(secret)) {
      world.provider.script(scripted);
      const answer = await world.post('/v1/messages', message({ stream: true }));
      const seen = [await answer.text(), ...answer.headers.entries(), JSON.stringify(world.logs)].join('\n');
      expect(seen).not.toContain(secret);
    }
  });

  it('are not in what is logged when a credential can not be had', async () => {
    world = await createGatewayWorld({
      connect: (baseUrl) =>
        createBedrockUpstream({
          baseUrl,
          region: 'us-east-1',
          credential: async () => {
            throw new Error('the platform gave no credentials');
          },
        }),
    });
    const answer = await world.post('/v1/messages', message());
    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({
      error: { message: expect.stringContaining('gave no credentials') },
    });
  });
});

describe('what the agent sends', () => {
  it('reaches the provider without its key, its cookies and its own addresses', async () => {
    world = await createGatewayWorld();
    const headers = {
      authorization: `Bearer ${world.gateway.key}`,
      cookie: 'agent-cookie',
      'x-forwarded-for': '10.0.0.1',
      'x-custom': 'agent-custom',
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'interleaved-thinking-2025-05-14',
      'user-agent': 'agent-program',
    };
    await world.post('/v1/messages', message(), { headers });
    const { headers: got } = world.provider.requests[0] ?? { headers: {} };
    expect(Object.keys(got).sort()).toEqual([
      'accept-encoding',
      'anthropic-beta',
      'anthropic-version',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
      'x-api-key',
    ]);
    expect(JSON.stringify(got)).not.toMatch(/bgagent-|agent-cookie|10\.0\.0\.1|agent-custom|agent-program/);
  });
});
