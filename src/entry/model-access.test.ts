import { describe, expect, it } from 'vitest';
import { defaultSettings, type Settings } from '../config/settings.ts';
import { modelAccess } from './model-access.ts';

const accessOf = (agent: string, secrets: Record<string, string>, settings: Partial<Settings> = {}) =>
  modelAccess(
    { agent },
    {
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
