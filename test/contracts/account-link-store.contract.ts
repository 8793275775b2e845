import { afterAll, beforeAll, expect } from 'vitest';
import type { AccountLink, AccountLinkStore, LinkCode } from '../../src/stores/account-link-store.ts';
import type { Part, StoresHarness } from './stores.contract.ts';

const aLink = (fields: Partial<AccountLink> = {}): AccountLink => ({
  provider: 'slack',
  external_id: 'T1/U1',
  user_id: 'user-1',
  scopes: ['tasks:read'],
  key_id: null,
  created_at: '2030-01-01T00:00:00.000Z',
  ...fields,
});

/** Whose account elsewhere is whose here. */
export function accountLinkStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let links: AccountLinkStore;
  beforeAll(async () => {
    harness = await create();
    links = harness.stores.accountLinks;
  });
  afterAll(() => harness.close());

  it('keeps the latest link of an account, by provider', async () => {
    await links.put(aLink());
    await links.put(aLink({ user_id: 'user-2', scopes: ['admin'] }));
    await links.put(aLink({ provider: 'github', user_id: 'user-3' }));
    expect(await links.get('slack', 'T1/U1')).toEqual(aLink({ user_id: 'user-2', scopes: ['admin'] }));
    expect(await links.get('slack', 'T1/U2')).toBeUndefined();
    expect(await links.delete('slack', 'T1/U1')).toBe(true);
    expect(await links.delete('slack', 'T1/U1')).toBe(false);
    expect(await links.get('github', 'T1/U1')).toMatchObject({ user_id: 'user-3' });
  });

  it('lists the links of a workspace', async () => {
    for (const external_id of ['T8/U2', 'T8/U1', 'T80/U1', 'T7/U1']) await links.put(aLink({ external_id }));
    expect((await links.list('slack', 'T8/')).map(({ external_id }) => external_id)).toEqual([
      'T8/U1',
      'T8/U2',
    ]);
  });

  it('gives a code away once, to its provider, before it expires', async () => {
    const code = (code_hash: string): LinkCode => ({
      provider: 'slack',
      code_hash,
      user_id: 'user-1',
      scopes: ['tasks:read'],
      key_id: 'k',
      expires_at_ms: harness.clock.now() + 1_000,
    });
    await links.putCode(code('a'));
    await links.putCode(code('b'));
    expect(await links.takeCode('github', 'a')).toBeUndefined();
    const both = await Promise.all([links.takeCode('slack', 'a'), links.takeCode('slack', 'a')]);
    expect(both.filter((taken) => taken !== undefined)).toEqual([code('a')]);
    harness.clock.advance(1_000);
    expect(await links.takeCode('slack', 'b')).toBeUndefined();
  });
}
