import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFakePlatform, type FakePlatform } from '../../test/fakes/platform.ts';
import { createGatewayWorld, message } from '../../test/fixtures/gateway.ts';
import { aPayload } from '../../test/fixtures/payload.ts';
import type { ModelAccess } from '../task/protocol.ts';
import { createCredentials } from './credentials.ts';
import { createBedrockUpstream } from './gateway/upstreams/bedrock.ts';
import { createHttpClient } from './http.ts';
import { createPlatform } from './platform.ts';

const START = Date.parse('2030-01-01T00:00:00Z');
const MINUTE = 60_000;
const keys = (n: number): ModelAccess => ({
  provider: 'bedrock',
  region: 'eu-central-1',
  access_key_id: `ASIAEXAMPLE${n}`,
  secret_access_key: `role-secret-${n}`,
  session_token: `role-session-${n}`,
  expires_at: null,
  main_model: 'main',
  small_model: 'small',
  prices: {},
});

describe('credentials of a run', () => {
  let fake: FakePlatform;
  let now = START;
  let hidden: string[];
  const http = createHttpClient({ timeoutMs: 10_000 });
  const giveFor = (n: number, minutes: number): void => {
    fake.model = keys(n);
    fake.expiresAt = new Date(now + minutes * MINUTE).toISOString();
  };
  const connect = () =>
    createCredentials({
      platform: createPlatform({
        bootstrap: {
          task_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
          attempt: 1,
          token: fake.token,
          api_url: fake.url,
          api_url_file: null,
          work_dir: '/nowhere',
          log_file: null,
          not_after: null,
          agent_user: null,
        },
        runnerId: 'runner',
        http,
        random: () => 0,
        signal: new AbortController().signal,
        note: () => undefined,
        isWanted: async () => true,
      }),
      now: () => now,
      hide: (...values) => void hidden.push(...values),
    });

  beforeEach(async () => {
    now = START;
    hidden = [];
    fake = await createFakePlatform(() => aPayload({ url: '/nowhere', sha: 'a'.repeat(40) }));
  });
  afterEach(() => fake.close());

  it('are asked for once when they last, however many want them', async () => {
    fake.credentials = { username: 'octo', password: 'forge-password' };
    const { credentials, modelAccess } = connect();
    const [git] = await Promise.all([credentials(), modelAccess(), credentials()]);
    now += 24 * 60 * MINUTE;
    await credentials();
    expect(git).toEqual(fake.credentials);
    expect(fake.credentialsAsked).toBe(1);
    expect(hidden).toContain('forge-password');
  });

  it('are renewed before they end, without anybody waiting for it', async () => {
    giveFor(1, 60);
    const { modelAccess } = connect();
    await modelAccess();
    giveFor(2, 120);
    now += 40 * MINUTE;
    expect(await modelAccess()).toMatchObject({ access_key_id: 'ASIAEXAMPLE1' });
    expect(fake.credentialsAsked).toBe(1);
    now += 10 * MINUTE;
    expect(await modelAccess()).toMatchObject({ access_key_id: 'ASIAEXAMPLE1' });
    await vi.waitFor(
      async () => expect(await modelAccess()).toMatchObject({ access_key_id: 'ASIAEXAMPLE2' }),
      { timeout: 20_000 },
    );
    expect(fake.credentialsAsked).toBe(2);
    expect(hidden).toEqual(expect.arrayContaining(['role-secret-1', 'role-secret-2', 'role-session-2']));
  });

  it('that have ended are not used', async () => {
    giveFor(1, 60);
    const { modelAccess } = connect();
    await modelAccess();
    now += 61 * MINUTE;
    giveFor(2, 60);
    expect(await modelAccess()).toMatchObject({ access_key_id: 'ASIAEXAMPLE2' });
  });

  it('go on while the platform refuses others, and then its reason is said', async () => {
    giveFor(1, 60);
    const { modelAccess } = connect();
    await modelAccess();
    fake.credentialsRefused = 'MODEL_ROLE_REFUSED';
    now += 54 * MINUTE;
    expect(await modelAccess()).toMatchObject({ access_key_id: 'ASIAEXAMPLE1' });
    now += 2 * MINUTE;
    await expect(modelAccess()).rejects.toMatchObject({
      code: 'MODEL_ROLE_REFUSED',
      message: 'model_role_refused',
    });
  });

  it('of a role sign the model’s calls, and new ones do from the hour on', async () => {
    giveFor(1, 60);
    const { modelAccess } = connect();
    const world = await createGatewayWorld({
      connect: (baseUrl) =>
        createBedrockUpstream({
          baseUrl,
          region: 'eu-central-1',
          now: () => now,
          async credential(refused) {
            const access = await modelAccess(refused !== undefined);
            if (access?.provider !== 'bedrock') throw new Error('no keys');
            const { access_key_id, secret_access_key, session_token } = access;
            return {
              accessKeyId: access_key_id,
              secretAccessKey: secret_access_key,
              sessionToken: session_token ?? '',
            };
          },
        }),
    });
    try {
      await world.post('/v1/messages', message());
      now += 60 * MINUTE;
      giveFor(2, 60);
      await world.post('/v1/messages', message());
      const signers = world.provider.requests.map(({ headers }) => headers.authorization);
      expect(signers).toEqual([
        expect.stringContaining('Credential=ASIAEXAMPLE1/'),
        expect.stringContaining('Credential=ASIAEXAMPLE2/'),
      ]);
    } finally {
      await world.close();
    }
  });
});
