import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createStsServer, type StsServer } from '../../test/fakes/sts-server.ts';
import { defaultSettings, type Settings } from '../config/settings.ts';
import { modelAccess } from './model-access.ts';

const accessOf = (
  agent: string,
  secrets: Record<string, string>,
  settings: Partial<Settings> = {},
  endpoint = 'http://127.0.0.1:9',
) =>
  modelAccess(
    { agent, model_id: null, task_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV', attempt: 2 },
    {
      sts: { endpoint },
      settings: { ...defaultSettings(), ...settings },
      secrets: {
        get: async (name) => secrets[name],
        put: async () => undefined,
        delete: async () => undefined,
        list: async () => Object.keys(secrets),
      },
    },
  );

const ALL = {
  ANTHROPIC_API_KEY: 'anthropic',
  OPENAI_API_KEY: 'openai',
  AWS_ACCESS_KEY_ID: 'id',
  AWS_SECRET_ACCESS_KEY: 'aws',
};

describe('how a runner reaches its model', () => {
  it('is told for the agent’s own provider only', async () => {
    expect(await accessOf('command', ALL)).toBeNull();
    expect(await accessOf('claude', ALL)).toMatchObject({
      provider: 'anthropic',
      auth: 'api_key',
      secret: 'anthropic',
    });
    expect(await accessOf('codex', ALL)).toMatchObject({
      provider: 'openai',
      auth: 'bearer',
      secret: 'openai',
    });
  });

  it('is nothing without a key', async () => {
    for (const agent of ['claude', 'codex']) expect(await accessOf(agent, {})).toBeNull();
    expect(await accessOf('claude', { AWS_ACCESS_KEY_ID: 'id' }, { claude_provider: 'bedrock' })).toBeNull();
  });

  it('goes by the settings', async () => {
    const settings = {
      anthropic_base_url: 'http://localhost:1',
      claude_model: 'big',
      claude_small_model: 'small',
    };
    expect(await accessOf('claude', { ANTHROPIC_AUTH_TOKEN: 'token' }, settings)).toMatchObject({
      base_url: 'http://localhost:1',
      auth: 'bearer',
      main_model: 'big',
      small_model: 'small',
    });
    expect(await accessOf('claude', ALL, { claude_provider: 'bedrock' })).toMatchObject({
      provider: 'bedrock',
      region: 'us-east-1',
      secret_access_key: 'aws',
      session_token: null,
    });
  });
});

describe('keys for Bedrock by a role', () => {
  const NOW = Date.parse('2030-01-01T00:00:00Z');
  const ROLE = 'arn:aws:iam::123456789012:role/models';
  const settings: Partial<Settings> = {
    claude_provider: 'bedrock',
    bedrock_role_arn: ROLE,
    bedrock_region: 'eu-central-1',
    claude_model: 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0',
    claude_small_model: 'anthropic.claude-haiku-4-5-20251001-v1:0',
  };
  let sts: StsServer;
  beforeEach(async () => {
    sts = await createStsServer({ now: () => NOW });
  });
  afterEach(() => sts.close());

  it('are of the task and attempt alone, for its models and an hour', async () => {
    expect(await accessOf('claude', ALL, settings, sts.url)).toMatchObject({
      provider: 'bedrock',
      region: 'eu-central-1',
      access_key_id: 'ASIAEXAMPLE1',
      secret_access_key: 'role-secret-1',
      session_token: 'role-session-1',
      expires_at: '2030-01-01T01:00:00.000Z',
    });
    const [asked] = sts.requests;
    expect(asked).toMatchObject({
      signedBy: 'id',
      RoleArn: ROLE,
      RoleSessionName: 'bgagent-01ARZ3NDEKTSV4RRFFQ69G5FAV-2',
      DurationSeconds: '3600',
    });
    expect(asked?.Policy).toContain('eu.anthropic.claude-sonnet-4-5-20250929-v1:0');
    expect(asked?.Policy).toContain('foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0');
  });

  it('are others each time', async () => {
    await accessOf('claude', ALL, settings, sts.url);
    expect(await accessOf('claude', ALL, settings, sts.url)).toMatchObject({ access_key_id: 'ASIAEXAMPLE2' });
  });

  it.each([
    ['AccessDenied', 403, 'MODEL_ROLE_REFUSED', /bedrock_role_arn.*sts:AssumeRole.*not authorized/s],
    ['InvalidClientTokenId', 403, 'MODEL_ROLE_REFUSED', /AWS_ACCESS_KEY_ID/],
    ['ExpiredToken', 400, 'MODEL_ROLE_REFUSED', /AWS_SESSION_TOKEN/],
    [
      'MalformedPolicyDocument',
      400,
      'MODEL_ROLE_REFUSED',
      /MalformedPolicyDocumentException: not authorized/,
    ],
  ])('that AWS refuses with %s are said with what to do', async (name, status, code, message) => {
    sts.refuse({ status, code: name, message: 'not authorized' });
    await expect(accessOf('claude', ALL, settings, sts.url)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('that AWS can not give right now are asked for again, then said to be worth another try', async () => {
    const busy = { status: 503, code: 'ServiceUnavailable', message: 'later' };
    sts.refuse(busy);
    expect(await accessOf('claude', ALL, settings, sts.url)).toMatchObject({ access_key_id: 'ASIAEXAMPLE1' });
    sts.refuse(busy, busy, busy);
    await expect(accessOf('claude', ALL, settings, sts.url)).rejects.toMatchObject({
      code: 'MODEL_ROLE_UNAVAILABLE',
      retryable: true,
    });
  });

  it('hold nothing of the platform’s own keys in an error', async () => {
    sts.refuse({ status: 403, code: 'SignatureDoesNotMatch', message: 'no' });
    const error = await accessOf(
      'claude',
      { ...ALL, AWS_SECRET_ACCESS_KEY: 'planted-0042' },
      settings,
      sts.url,
    ).catch((reason: unknown) => reason);
    expect(String(error)).not.toContain('planted-0042');
  });
});
