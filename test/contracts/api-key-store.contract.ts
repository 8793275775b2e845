import { afterAll, beforeAll, expect } from 'vitest';
import type { ApiKeyRecord, ApiKeyStore } from '../../src/stores/api-key-store.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

const aKey = (fields: Partial<ApiKeyRecord> = {}): ApiKeyRecord => ({
  key_id: newTaskId(),
  user_id: 'user-1',
  name: 'laptop',
  secret_hash: 'f'.repeat(64),
  scopes: ['tasks:read', 'tasks:write'],
  created_at: '2030-01-01T00:00:00.000Z',
  expires_at: null,
  last_used_at: null,
  revoked_at: null,
  ...fields,
});

/** Records of API keys. */
export function apiKeyStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let keys: ApiKeyStore;
  beforeAll(async () => {
    harness = await create();
    keys = harness.stores.apiKeys;
  });
  afterAll(() => harness.close());

  it('keeps a key as it is, and takes an id once', async () => {
    const key = aKey({ scopes: ['admin'], expires_at: '2031-01-01T00:00:00.000Z' });
    await keys.create(key);
    expect(await keys.get(key.key_id)).toEqual(key);
    expect(await keys.get('unknown')).toBeUndefined();
    await expect(keys.create({ ...key, user_id: 'somebody else' })).rejects.toThrow();
    expect(await keys.get(key.key_id)).toEqual(key);
  });

  it('lists own keys or all, page by page, and refuses a foreign token', async () => {
    const own = await create();
    try {
      const { apiKeys } = own.stores;
      const mine = [aKey(), aKey({ revoked_at: '2030-01-02T00:00:00.000Z' }), aKey()];
      const theirs = aKey({ user_id: 'user-2' });
      for (const key of [...mine, theirs]) await apiKeys.create(key);
      const first = await apiKeys.list({ userId: 'user-1', limit: 2 });
      expect(first.items).toEqual(mine.slice(0, 2));
      const second = await apiKeys.list({ userId: 'user-1', limit: 2, nextToken: first.nextToken ?? '' });
      expect(second).toEqual({ items: mine.slice(2), nextToken: null });
      expect((await apiKeys.list({ limit: 10 })).items).toEqual([...mine, theirs]);
      await expect(apiKeys.list({ limit: 2, nextToken: 'x' })).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        field: 'next_token',
      });
    } finally {
      await own.close();
    }
  });

  it('revokes once', async () => {
    const key = aKey();
    await keys.create(key);
    const at = (n: number): string => `2030-01-0${n}T00:00:00.000Z`;
    const answers = await Promise.all([1, 2, 3].map((n) => keys.revoke(key.key_id, at(n))));
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect(await keys.get(key.key_id)).toEqual({ ...key, revoked_at: at(answers.indexOf(true) + 1) });
    expect(await keys.revoke(key.key_id, at(9))).toBe(false);
    await expect(keys.revoke('unknown', at(1))).rejects.toMatchObject({ code: 'API_KEY_NOT_FOUND' });
  });

  it('notes the last use, to the minute, and never turns it back', async () => {
    const key = aKey();
    await keys.create(key);
    const lastUse = async () => (await keys.get(key.key_id))?.last_used_at;
    await keys.touch(key.key_id, '2030-01-01T10:00:00.000Z');
    expect(await lastUse()).toBe('2030-01-01T10:00:00.000Z');
    await keys.touch(key.key_id, '2030-01-01T10:00:59.000Z');
    expect(await lastUse()).toBe('2030-01-01T10:00:00.000Z');
    await keys.touch(key.key_id, '2030-01-01T10:01:00.000Z');
    expect(await lastUse()).toBe('2030-01-01T10:01:00.000Z');
    await keys.touch(key.key_id, '2030-01-01T09:00:00.000Z');
    expect(await lastUse()).toBe('2030-01-01T10:01:00.000Z');
    await keys.touch('unknown', '2030-01-01T10:00:00.000Z');
  });
}
