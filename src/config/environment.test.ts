import { describe, expect, it } from 'vitest';
import { readEnvironment } from './environment.ts';

describe('the environment', () => {
  it('says where things are', () => {
    expect(readEnvironment({ HOME: '/home/octo' })).toMatchObject({
      dataDir: '/home/octo/.bgagent',
      apiUrl: undefined,
      apiKey: undefined,
      settings: {},
      secrets: {},
      unknown: [],
      program: 'bgagent',
      noColor: false,
    });
    expect(
      readEnvironment({
        BGAGENT_DATA_DIR: '/srv/bgagent',
        BGAGENT_API_URL: 'http://127.0.0.1:7788',
        BGAGENT_API_KEY: 'bgak_x',
        NO_COLOR: '1',
      }),
    ).toMatchObject({
      dataDir: '/srv/bgagent',
      apiUrl: 'http://127.0.0.1:7788',
      apiKey: 'bgak_x',
      program: 'bgagent',
      noColor: true,
    });
  });

  it('sets settings, each as its type', () => {
    const { settings } = readEnvironment({
      BGAGENT_PORT: '0',
      BGAGENT_SANDBOX: 'off',
      BGAGENT_LOG_LEVEL: 'debug',
      BGAGENT_LOCAL_CAPACITY: 'null',
      BGAGENT_DEFAULT_MAX_BUDGET_USD: '2.5',
      BGAGENT_SANDBOX_EGRESS: 'registry.npmjs.org, *.example.com',
      BGAGENT_DEFAULT_AGENT_COMMAND: '7',
      BGAGENT_REPAIR_REGRESSIONS: 'false',
    });
    expect(settings).toEqual({
      port: 0,
      sandbox: 'off',
      log_level: 'debug',
      local_capacity: null,
      default_max_budget_usd: 2.5,
      sandbox_egress: ['registry.npmjs.org', '*.example.com'],
      default_agent_command: '7',
      repair_regressions: false,
    });
  });

  it.each([
    ['BGAGENT_PORT', 'eighty'],
    ['BGAGENT_PORT', '70000'],
    ['BGAGENT_PORT', '1e3'],
    ['BGAGENT_SANDBOX', 'perhaps'],
    ['BGAGENT_LOG_LEVEL', 'chatty'],
    ['BGAGENT_MAX_ACTIVE_PER_USER', '0'],
    ['BGAGENT_REPAIR_REGRESSIONS', 'yes'],
  ])('refuses %s=%s by the name of the variable', (name, value) => {
    expect(() => readEnvironment({ [name]: value })).toThrow(new RegExp(`^${name}="${value}"`));
  });

  it('counts an empty variable as not set', () => {
    const { settings, apiUrl, dataDir } = readEnvironment({
      HOME: '/home/octo',
      BGAGENT_PORT: '',
      BGAGENT_API_URL: '',
      BGAGENT_DATA_DIR: '',
    });
    expect([settings, apiUrl, dataDir]).toEqual([{}, undefined, '/home/octo/.bgagent']);
  });

  it('names variables that mean nothing', () => {
    expect(readEnvironment({ BGAGENT_PROT: '1', BGAGENT_REQUIRE_SANDBOX: '1', OTHER: '1' }).unknown).toEqual([
      'BGAGENT_PROT',
    ]);
  });

  it('hands on secrets by name, and none of them to child processes', () => {
    const { secrets, inherited } = readEnvironment({
      PATH: '/usr/bin',
      BGAGENT_SECRET_GITHUB_TOKEN: 'hidden',
      BGAGENT_API_KEY: 'hidden',
      GITHUB_TOKEN: 'hidden',
      AWS_SECRET_ACCESS_KEY: 'hidden',
      NODE_OPTIONS: '--inspect',
    });
    expect(secrets).toEqual({ GITHUB_TOKEN: 'hidden' });
    expect(inherited).toEqual({ PATH: '/usr/bin' });
  });

  it('takes what is set already for the providers of models, after its own names', () => {
    const given = {
      ANTHROPIC_API_KEY: 'plain',
      ANTHROPIC_BASE_URL: 'http://localhost:1',
      OPENAI_API_KEY: 'other',
    };
    expect(readEnvironment(given)).toMatchObject({
      secrets: { ANTHROPIC_API_KEY: 'plain', OPENAI_API_KEY: 'other' },
      settings: { anthropic_base_url: 'http://localhost:1' },
      inherited: {},
    });
    const own = { BGAGENT_SECRET_ANTHROPIC_API_KEY: 'own', BGAGENT_ANTHROPIC_BASE_URL: 'http://localhost:2' };
    expect(readEnvironment({ ...given, ...own })).toMatchObject({
      secrets: { ANTHROPIC_API_KEY: 'own' },
      settings: { anthropic_base_url: 'http://localhost:2' },
    });
    expect(() => readEnvironment({ ANTHROPIC_BASE_URL: 'nowhere' })).toThrow(/ANTHROPIC_BASE_URL/);
  });

  it('reads prices as JSON', () => {
    const BGAGENT_MODEL_PRICES = '{"my-model": {"input": 1, "output": 2}}';
    expect(readEnvironment({ BGAGENT_MODEL_PRICES }).settings).toEqual({
      model_prices: { 'my-model': { input: 1, output: 2 } },
    });
    expect(() => readEnvironment({ BGAGENT_MODEL_PRICES: '{' })).toThrow(/BGAGENT_MODEL_PRICES/);
  });
});
