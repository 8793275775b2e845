import { createHmac } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Settings } from '../../../src/config/settings.ts';
import { createOidcIssuer, type OidcIssuer } from '../../fakes/oidc-issuer.ts';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { type Answer, request } from '../../fixtures/api/requests.ts';
import { createClock } from '../stores.contract.ts';

const clock = createClock();
let issuer: OidcIssuer;
let platform: TestPlatform;
beforeEach(async () => {
  issuer = await createOidcIssuer({ now: clock.now });
  platform = await startWith();
});
afterEach(async () => {
  await platform.close();
  await issuer.close();
});

const startWith = (settings: Partial<Settings> = {}): Promise<TestPlatform> =>
  startTestPlatform({
    now: clock.now,
    settings: { oidc_issuer: issuer.issuer, oidc_audience: ['bgagent', 'cli'], ...settings },
  });

const asWith = (authorization: string, path = '/v1/tasks', method = 'GET', body?: unknown): Promise<Answer> =>
  request(platform, method, path, { headers: { Authorization: authorization }, body });
const withClaims = async (claims: JWTPayload): Promise<Answer> =>
  asWith(`Bearer ${await issuer.token(claims)}`);

async function restartWith(settings: Partial<Settings>): Promise<void> {
  await platform.close();
  platform = await startWith(settings);
}

describe('a token of the OIDC provider', () => {
  it('lets its user in, as `Bearer` and alone, and asks for the keys once', async () => {
    const token = await issuer.token();
    const body = { repo: '/srv/git/hello.git', task_description: 'Add a greeting' };
    const made = await asWith(`Bearer ${token}`, '/v1/tasks', 'POST', body);
    expect([made.status, made.body.data.user_id]).toEqual([201, 'ada']);
    const list = await asWith(token);
    expect(list.body.data).toHaveLength(1);
    expect(issuer.requests).toEqual(['/pool/.well-known/openid-configuration', '/pool/keys']);
  });

  it('sees what is its user’s, like a key of that user', async () => {
    const body = { repo: '/srv/git/hello.git', task_description: 'Add a greeting' };
    const { body: made } = await asWith(await issuer.token(), '/v1/tasks', 'POST', body);
    const path = `/v1/tasks/${made.data.task_id}`;
    expect((await asWith(await issuer.token({ sub: 'bob' }), path)).code).toBe('FORBIDDEN');
    expect((await request(platform, 'GET', path, { key: await platform.key('ada') })).status).toBe(200);
  });

  it('may do all but what is for admins', async () => {
    const refused = await asWith(await issuer.token(), '/v1/api-keys', 'POST', {
      name: 'x',
      scopes: ['admin'],
    });
    expect([refused.status, refused.code]).toEqual([403, 'FORBIDDEN']);
    expect((await asWith(await issuer.token(), '/v1/webhooks', 'POST', { name: 'ci' })).status).toBe(201);
  });

  it('is an admin’s when it lists the admin group, and only then', async () => {
    await restartWith({ oidc_admin_group: 'bgagent-admins', oidc_groups_claim: 'cognito:groups' });
    const mayAdminister = async (groups: unknown): Promise<boolean> =>
      (await asWith(await issuer.token({ 'cognito:groups': groups }), '/v1/repos/octo%2Fhello', 'PUT', {}))
        .status === 200;
    expect(await mayAdminister(['people', 'bgagent-admins'])).toBe(true);
    expect(await mayAdminister('bgagent-admins')).toBe(true);
    for (const groups of [['people'], [], undefined, null, 'not-bgagent-admins', { 'bgagent-admins': true }])
      expect(await mayAdminister(groups)).toBe(false);
  });

  it('of Cognito has its audience in `client_id`, which counts only without `aud`', async () => {
    const access = { aud: undefined, client_id: 'cli', token_use: 'access' };
    expect((await withClaims(access)).status).toBe(200);
    expect((await withClaims({ ...access, client_id: 'another' })).status).toBe(401);
    expect((await withClaims({ ...access, aud: 'another' })).status).toBe(401);
    expect((await withClaims({ aud: ['another', 'bgagent'] })).status).toBe(200);
    expect((await withClaims({ aud: undefined })).status).toBe(401);
  });

  it('names its user by another claim when it is set so, and by an address only when that is verified', async () => {
    await restartWith({ oidc_user_claim: 'email' });
    const email = 'ada@example.com';
    expect((await withClaims({ email, email_verified: true })).status).toBe(200);
    for (const claims of [
      { email },
      { email, email_verified: false },
      {},
      { email: ['a'], email_verified: true },
    ])
      expect((await withClaims(claims)).status).toBe(401);
  });

  it.each([
    ['without a user', { sub: undefined }],
    ['with a user of two lines', { sub: 'a\nb' }],
    ['with an endless user', { sub: 'a'.repeat(129) }],
    ['of another issuer', { iss: 'https://issuer.example.com' }],
    ['without an issuer', { iss: undefined }],
    ['that never ends', { exp: undefined }],
    ['that has ended', { exp: clock.now() / 1_000 - 61 }],
    ['from the future', { iat: clock.now() / 1_000 + 61 }],
    ['that is not good yet', { nbf: clock.now() / 1_000 + 61 }],
    ['whose times are no times', { exp: 'tomorrow' as unknown as number }],
  ])('%s is refused', async (_, claims) => {
    const { status, code } = await withClaims(claims);
    expect([status, code]).toEqual([401, 'UNAUTHORIZED']);
  });

  it('is taken when the clocks differ by less than the tolerance', async () => {
    const seconds = clock.now() / 1_000;
    expect((await withClaims({ exp: seconds - 59 })).status).toBe(200);
    expect((await withClaims({ iat: seconds + 59, nbf: seconds + 59 })).status).toBe(200);
  });

  it('is followed to the provider’s next key', async () => {
    const before = await issuer.token();
    expect((await asWith(before)).status).toBe(200);
    await issuer.rotate();
    // Keys are asked for anew at most every half a minute, by the machine's own clock: another platform knows none yet.
    await restartWith({});
    expect((await asWith(await issuer.token())).status).toBe(200);
    expect((await asWith(before)).status).toBe(401);
  });
});

describe('a forged token', () => {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = () => {
    const seconds = Math.floor(clock.now() / 1_000);
    return { iss: issuer.issuer, aud: 'bgagent', sub: 'ada', iat: seconds, exp: seconds + 600 };
  };
  const refused = async (token: string): Promise<void> => {
    const { status, code } = await asWith(`Bearer ${token}`);
    expect([status, code]).toEqual([401, 'UNAUTHORIZED']);
  };

  it.each(['none', 'None', 'NONE'])('without a signature (alg %s) is refused', async (alg) => {
    await refused(`${part({ alg, typ: 'JWT' })}.${part(claims())}.`);
  });

  it('signed with the public key as if that were a secret is refused', async () => {
    const { kid, x } = issuer.publicJwk();
    const text = `${part({ alg: 'HS256', kid })}.${part(claims())}`;
    for (const secret of [JSON.stringify(issuer.publicJwk()), Buffer.from(x ?? '', 'base64url')])
      await refused(`${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`);
  });

  it('that brings its own key is refused', async () => {
    const attacker = await createOidcIssuer({ now: clock.now });
    const forged = await attacker.token({ iss: issuer.issuer }, { kid: issuer.publicJwk().kid ?? '' });
    const [, payload] = forged.split('.');
    await attacker.close();
    await refused(forged);
    await refused(`${part({ alg: 'ES256', jwk: attacker.publicJwk() })}.${payload}.AAAA`);
  });

  it('that was changed after it was signed is refused', async () => {
    const [header, , signature] = (await issuer.token()).split('.');
    await refused(`${header}.${part({ ...claims(), sub: 'root' })}.${signature}`);
  });

  it('that is a runner’s own is refused', async () => {
    const own = await platform.token({ task_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV', attempt: 1 });
    await refused(own);
    const secret = new TextEncoder().encode('x'.repeat(32));
    await refused(await new SignJWT(claims()).setProtectedHeader({ alg: 'HS256' }).sign(secret));
  });

  it.each(['x', 'a.b.c', '...', 'bgak_x', 'ä', 'e30.e30.e30', `${'a'.repeat(3_000)}.b.c`])(
    'that is nonsense is refused: %s',
    async (token) => {
      await refused(encodeURIComponent(token));
    },
  );
});

describe('a provider that fails', () => {
  const KEYS = /keys$/;
  const DISCOVERY = /openid-configuration$/;

  it.each([
    ['does not answer with its keys', { path: KEYS, status: 500 }],
    ['answers nonsense for its keys', { path: KEYS, body: 'nonsense' }],
    ['answers with no keys at all', { path: KEYS, body: '{}' }],
    ['has no discovery document', { path: DISCOVERY, status: 404 }],
    ['answers nonsense for its discovery document', { path: DISCOVERY, body: '<html>' }],
    ['calls itself another', { path: DISCOVERY, body: '{"issuer":"x","jwks_uri":"http://127.0.0.1/"}' }],
  ])('that %s makes it 503, and is asked again by the next request', async (_, failure) => {
    issuer.fail(failure);
    const token = await issuer.token();
    const { status, code } = await asWith(token);
    expect([status, code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    issuer.fail(null);
    // After a failure of the keys alone their library waits half a minute before it asks again.
    if (failure.path === DISCOVERY) expect((await asWith(token)).status).toBe(200);
  });

  it('that is gone makes it 503, but not for keys', async () => {
    const token = await issuer.token();
    await issuer.close();
    expect((await asWith(token)).status).toBe(503);
    expect((await asWith('nonsense')).status).toBe(401);
    const key = await platform.key('ada');
    expect((await request(platform, 'GET', '/v1/tasks', { key })).status).toBe(200);
    issuer = await createOidcIssuer({ now: clock.now });
  });

  it.each([
    [{ oidc_audience: [] }, 'oidc_audience'],
    [{ oidc_issuer: 'http://issuer.example.com' }, 'oidc_issuer'],
  ])('is not even begun with when the settings are not safe: %j', async (settings, field) => {
    await expect(startWith(settings)).rejects.toMatchObject({ code: 'VALIDATION_ERROR', field });
  });
});
