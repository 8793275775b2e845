import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiKeyScope } from '../../../src/task/scopes.ts';
import { startTestPlatform, type TestPlatform, USER_SCOPES } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';

let platform: TestPlatform;
beforeAll(async () => {
  platform = await startTestPlatform();
});
afterAll(() => platform.close());

const UNKNOWN_ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

async function aTaskOf(userId: string): Promise<string> {
  const { body } = await request(platform, 'POST', '/v1/tasks', {
    key: await platform.key(userId),
    body: { repo: '/srv/git/hello.git', task_description: 'Add a greeting' },
  });
  return body.data.task_id;
}

/** What can be asked of one task. */
const ON_A_TASK = [
  ['GET', ''],
  ['GET', '/events'],
  ['GET', '/stream'],
  ['GET', '/logs'],
  ['GET', '/diff'],
  ['GET', '/replay'],
  ['DELETE', ''],
  ['POST', '/retry'],
] as const;

describe('ownership', () => {
  it.each(ON_A_TASK)(
    '%s /v1/tasks/{id}%s: another user is forbidden, an unknown id not found',
    async (method, rest) => {
      const taskId = await aTaskOf('owner');
      const other = await platform.key('other');
      const forbidden = await request(platform, method, `/v1/tasks/${taskId}${rest}`, { key: other });
      expect([forbidden.status, forbidden.code]).toEqual([403, 'FORBIDDEN']);
      const missing = await request(platform, method, `/v1/tasks/${UNKNOWN_ID}${rest}`, { key: other });
      expect([missing.status, missing.code]).toEqual([404, 'TASK_NOT_FOUND']);
    },
  );

  it('does not hold for an admin', async () => {
    const taskId = await aTaskOf('owner');
    const admin = await platform.key('root', ['admin']);
    expect((await request(platform, 'GET', `/v1/tasks/${taskId}`, { key: admin })).status).toBe(200);
    const list = await request(platform, 'GET', '/v1/tasks?limit=100', { key: admin });
    expect(list.body.data.map((task: { task_id: string }) => task.task_id)).toContain(taskId);
  });

  it('keeps other users out of a list', async () => {
    const taskId = await aTaskOf('owner');
    const list = await request(platform, 'GET', '/v1/tasks?limit=100', { key: await platform.key('other') });
    expect(list.body.data.map((task: { task_id: string }) => task.task_id)).not.toContain(taskId);
  });
});

describe('scopes', () => {
  const needed: [string, string, ApiKeyScope][] = [
    ['GET', '/v1/tasks', 'tasks:read'],
    ['GET', `/v1/tasks/${UNKNOWN_ID}`, 'tasks:read'],
    ['GET', `/v1/tasks/${UNKNOWN_ID}/events`, 'tasks:read'],
    ['GET', `/v1/tasks/${UNKNOWN_ID}/stream`, 'tasks:read'],
    ['GET', `/v1/tasks/${UNKNOWN_ID}/logs`, 'tasks:read'],
    ['GET', `/v1/tasks/${UNKNOWN_ID}/diff`, 'tasks:read'],
    ['GET', `/v1/tasks/${UNKNOWN_ID}/replay`, 'tasks:read'],
    ['GET', '/v1/repos/octo%2Fhello/policies', 'tasks:read'],
    ['POST', '/v1/tasks', 'tasks:write'],
    ['POST', `/v1/tasks/${UNKNOWN_ID}/retry`, 'tasks:write'],
    ['POST', `/v1/tasks/${UNKNOWN_ID}/nudge`, 'tasks:write'],
    ['DELETE', `/v1/tasks/${UNKNOWN_ID}`, 'tasks:cancel'],
    ['GET', '/v1/pending', 'tasks:read'],
    ['GET', '/metrics', 'admin'],
    ['GET', '/v1/fleet', 'tasks:read'],
    ['GET', '/v1/repos', 'tasks:read'],
    ['GET', '/v1/repos/octo%2Fhello', 'tasks:read'],
    ['PUT', '/v1/repos/octo%2Fhello', 'admin'],
    ['DELETE', '/v1/repos/octo%2Fhello', 'admin'],
    ['GET', '/v1/deliveries', 'admin'],
    ['POST', `/v1/deliveries/${UNKNOWN_ID}.slack/replay`, 'admin'],
    ['POST', '/v1/account-links', 'tasks:read'],
    ['POST', '/v1/api-keys', 'admin'],
    ['GET', '/v1/api-keys', 'tasks:read'],
    ['DELETE', `/v1/api-keys/${UNKNOWN_ID}`, 'tasks:read'],
    ['POST', '/v1/webhooks', 'webhooks:manage'],
    ['GET', '/v1/webhooks', 'webhooks:manage'],
    ['DELETE', `/v1/webhooks/${UNKNOWN_ID}`, 'webhooks:manage'],
    ['POST', '/v1/webhooks/tasks', 'webhooks:invoke'],
  ];

  it.each(needed)('%s %s needs %s', async (method, path, scope) => {
    const all: ApiKeyScope[] = [
      'tasks:read',
      'tasks:write',
      'tasks:cancel',
      'webhooks:manage',
      'webhooks:invoke',
    ];
    const key = await platform.key(
      'scoped',
      all.filter((other) => other !== scope),
    );
    const refused = await request(platform, method, path, { key });
    expect([refused.status, refused.code]).toEqual([403, 'FORBIDDEN']);
    expect(refused.body.error.message).toContain(scope);
    const allowed = await request(platform, method, path, { key: await platform.key('scoped', [scope]) });
    expect([401, 403]).not.toContain(allowed.status);
  });

  it('are checked before anything else of the request', async () => {
    const { status } = await request(platform, 'POST', '/v1/tasks', { raw: '{nonsense' });
    expect(status).toBe(401);
  });

  it('are documented for every endpoint that takes a key', () => {
    const documented = platform.app.openAPIRegistry.definitions.flatMap((definition) => {
      if (definition.type !== 'route') return [];
      const { method, path, security = [] } = definition.route;
      const scopes = security.flatMap((way) => way.apiKey ?? []);
      return scopes.length === 0 ? [] : [`${method.toUpperCase()} ${path} ${scopes}`];
    });
    const covered = needed.map(
      ([method, path, scope]) =>
        `${method} ${path
          .replace(`tasks/${UNKNOWN_ID}`, 'tasks/{task_id}')
          .replace(`api-keys/${UNKNOWN_ID}`, 'api-keys/{key_id}')
          .replace(`deliveries/${UNKNOWN_ID}.slack`, 'deliveries/{delivery_id}')
          .replace(`webhooks/${UNKNOWN_ID}`, 'webhooks/{webhook_id}')
          .replace('octo%2Fhello', '{repo}')} ${scope}`,
    );
    expect(covered.sort()).toEqual(documented.sort());
  });
});

describe('an API key', () => {
  it('may come as a bearer token', async () => {
    const key = await platform.key('octo');
    const { status } = await request(platform, 'GET', '/v1/tasks', {
      headers: { Authorization: `Bearer ${key}` },
    });
    expect(status).toBe(200);
  });

  it('is refused when it is missing, garbled, foreign, or has another secret', async () => {
    const key = await platform.key('octo');
    const other = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`;
    const unknown = key.replace(/_[0-9A-Z]{26}_/, `_${UNKNOWN_ID}_`);
    const wrong: Record<string, string>[] = [
      {},
      { 'X-API-Key': '' },
      { 'X-API-Key': 'bgak_' },
      { 'X-API-Key': `${key} x` },
      { 'X-API-Key': other },
      { 'X-API-Key': unknown },
      { 'X-API-Key': 'x'.repeat(5_000) },
      { Authorization: 'Basic b2N0bzpvY3Rv' },
      { Authorization: 'Bearer' },
      { Authorization: `Bearer ${key} ${key}` },
    ];
    for (const headers of wrong) {
      const { status, code, headers: answer } = await request(platform, 'GET', '/v1/tasks', { headers });
      expect([status, code], JSON.stringify(headers)).toEqual([401, 'UNAUTHORIZED']);
      expect(answer.get('www-authenticate')).toContain('Bearer');
    }
  });

  it('ends at its expiry', async () => {
    let at = Date.parse('2030-01-01T00:00:00Z');
    const timed = await startTestPlatform({ now: () => at });
    try {
      const key = await timed.key('octo', USER_SCOPES, '2030-01-01T00:01:00.000Z');
      expect((await request(timed, 'GET', '/v1/tasks', { key })).status).toBe(200);
      at += 60_000;
      const { status, body } = await request(timed, 'GET', '/v1/tasks', { key });
      expect(status).toBe(401);
      expect(body.error.message).toContain('expired');
    } finally {
      await timed.close();
    }
  });

  it('is made by an admin, shown once, listed without its secret, and ends when revoked', async () => {
    const admin = await platform.key('root', ['admin']);
    const made = await request(platform, 'POST', '/v1/api-keys', {
      key: admin,
      body: { name: 'build server', scopes: ['tasks:read'], user_id: 'robot', expires_in_days: 30 },
    });
    expect(made.status).toBe(201);
    const { key, key_id } = made.body.data;
    expect(key).toMatch(/^bgak_/);
    expect((await request(platform, 'GET', '/v1/tasks', { key })).status).toBe(200);

    const listed = await request(platform, 'GET', '/v1/api-keys', { key });
    expect(listed.body.data).toMatchObject([
      { key_id, user_id: 'robot', name: 'build server', revoked_at: null },
    ]);
    expect(listed.text).not.toContain(key.split('_')[2]);
    expect(listed.text).not.toContain('hash');

    const revoked = await request(platform, 'DELETE', `/v1/api-keys/${key_id}`, { key: admin });
    expect(revoked.body.data.revoked_at).not.toBeNull();
    const refused = await request(platform, 'GET', '/v1/tasks', { key });
    expect([refused.status, refused.body.error.message]).toEqual([401, 'the API key was revoked']);
    const again = await request(platform, 'DELETE', `/v1/api-keys/${key_id}`, { key: admin });
    expect([again.status, again.code]).toEqual([409, 'API_KEY_ALREADY_REVOKED']);
  });

  it('ends when its maker said, in whatever time zone', async () => {
    const { body } = await request(platform, 'POST', '/v1/api-keys', {
      key: await platform.key('root', ['admin']),
      body: { name: 'x', scopes: ['tasks:read'], expires_at: '2099-01-01T01:30:00+01:30' },
    });
    expect(body.data.expires_at).toBe('2099-01-01T00:00:00.000Z');
  });

  it('revokes itself and its like, but none that may do more', async () => {
    const id = (key: string): string => key.split('_')[1] ?? '';
    const revoke = (key: string, target: string) =>
      request(platform, 'DELETE', `/v1/api-keys/${id(target)}`, { key });
    const reader = await platform.key('both', ['tasks:read']);
    const [writer, other] = [await platform.key('both'), await platform.key('both', ['tasks:read'])];
    const refused = await revoke(reader, writer);
    expect([refused.status, refused.code]).toEqual([403, 'FORBIDDEN']);
    expect(refused.body.error.message).toContain('tasks:write');
    expect((await revoke(reader, other)).status).toBe(200);
    expect((await revoke(reader, reader)).status).toBe(200);
    expect((await revoke(writer, writer)).status).toBe(200);
  });

  it('of an admin does not revoke itself, so that one is always left', async () => {
    const admin = await platform.key('root', ['admin']);
    const self = await request(platform, 'DELETE', `/v1/api-keys/${admin.split('_')[1]}`, { key: admin });
    expect([self.status, self.code]).toEqual([409, 'API_KEY_IN_USE']);
    const another = await platform.key('root', ['admin']);
    const byOther = await request(platform, 'DELETE', `/v1/api-keys/${admin.split('_')[1]}`, {
      key: another,
    });
    expect(byOther.status).toBe(200);
  });

  it('says when it was last used', async () => {
    const key = await platform.key('lately');
    await request(platform, 'GET', '/v1/tasks', { key });
    // Written beside the answer, not before it.
    await expect
      .poll(async () => (await request(platform, 'GET', '/v1/api-keys', { key })).body.data[0].last_used_at)
      .not.toBeNull();
  });

  it('of another user can not be seen or revoked', async () => {
    const theirs = await platform.key('theirs');
    const [, keyId] = theirs.split('_');
    const key = await platform.key('nosy');
    const { status, code } = await request(platform, 'DELETE', `/v1/api-keys/${keyId}`, { key });
    expect([status, code]).toEqual([403, 'FORBIDDEN']);
    const { text } = await request(platform, 'GET', '/v1/api-keys?limit=100', { key });
    expect(text).not.toContain(keyId);
  });

  it.each([
    [{ scopes: ['tasks:read'] }, 'name'],
    [{ name: 'x', scopes: [] }, 'scopes'],
    [{ name: 'x', scopes: ['root'] }, 'scopes'],
    [{ name: 'x', scopes: ['admin'], expires_in_days: 0 }, 'expires_in_days'],
    [{ name: 'x', scopes: ['admin'], user_id: '../etc' }, 'user_id'],
    [
      { name: 'x', scopes: ['admin'], expires_at: '2020-01-01T00:00:00Z' },
      'expires_at: must be in the future',
    ],
    [{ name: 'x', scopes: ['admin'], expires_at: 'tomorrow' }, 'expires_at: must be a time like'],
    [
      { name: 'x', scopes: ['admin'], expires_at: '2099-01-01T00:00:00Z', expires_in_days: 1 },
      'expires_at: give this or',
    ],
    [{ name: 'two\nlines', scopes: ['admin'] }, 'name'],
  ])('is not made from %o', async (body, field) => {
    const answer = await request(platform, 'POST', '/v1/api-keys', {
      key: await platform.key('root', ['admin']),
      body,
    });
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toContain(field);
  });
});
