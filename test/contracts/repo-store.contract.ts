import { afterAll, beforeAll, expect } from 'vitest';
import type { RepoStore } from '../../src/stores/repo-store.ts';
import { aRepo } from '../fixtures/repo.ts';
import type { Part, StoresHarness } from './stores.contract.ts';

/** Settings of repositories. */
export function repoStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let repos: RepoStore;
  beforeAll(async () => {
    harness = await create();
    repos = harness.stores.repos;
  });
  afterAll(() => harness.close());

  it('keeps the latest settings of a repository, whatever its name looks like', async () => {
    for (const repo of ['octo/hello', '/srv/git/ein repo.git', 'https://git.example.com/a/b.git', "a'b;--"]) {
      await repos.put(aRepo({ repo }));
      const changed = aRepo({ repo, build_command: 'npm test', egress_allowlist: ['*.example.com'] });
      await repos.put(changed);
      expect(await repos.get(repo)).toEqual(changed);
    }
    expect(await repos.get('octo/other')).toBeUndefined();
    expect(await repos.get('OCTO/HELLO')).toBeUndefined();
  });

  it('lists by name, page by page, without the removed ones', async () => {
    const own = await create();
    try {
      for (const repo of ['octo/c', 'octo/removed', 'octo/a', 'octo/b', 'octo/gone'])
        await own.stores.repos.put(aRepo({ repo }));
      for (const repo of ['octo/gone', 'octo/removed'])
        await own.stores.repos.put(aRepo({ repo, status: 'removed' }));
      const first = await own.stores.repos.list({ limit: 2 });
      const second = await own.stores.repos.list({ limit: 2, nextToken: first.nextToken ?? '' });
      expect([first, second].map(({ items }) => items.map(({ repo }) => repo))).toEqual([
        ['octo/a', 'octo/b'],
        ['octo/c'],
      ]);
      expect(second.nextToken).toBeNull();
      expect(await own.stores.repos.get('octo/gone')).toMatchObject({ status: 'removed' });
    } finally {
      await own.close();
    }
  });

  it('refuses a page token that is not of this list, and names it', async () => {
    const foreign = Buffer.from('tasks:01ARZ3NDEKTSV4RRFFQ69G5FAV').toString('base64url');
    for (const nextToken of ['', '\u{1f680}', foreign, 'cmVwb3M6'])
      await expect(repos.list({ limit: 5, nextToken }), nextToken).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        field: 'next_token',
      });
  });
}
