import fc from 'fast-check';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Lease, LeaseStore } from '../../src/stores/lease-store.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

/** Exclusive claims with an expiry. */
export function leaseStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let leases: LeaseStore;
  beforeAll(async () => {
    harness = await create();
    leases = harness.stores.leases;
  });
  afterAll(() => harness.close());

  const aName = (): string => `instance/${newTaskId()}`;
  const claim = (owner: string, epoch = 1, ttlMs = 1_000) => ({ owner, epoch, ttlMs });

  it('is taken when it is free, and says until when', async () => {
    const name = aName();
    const lease = { name, owner: 'a', epoch: 3, expiresAtMs: harness.clock.now() + 500 };
    expect(await leases.get(name)).toBeUndefined();
    expect(await leases.acquire(name, claim('a', 3, 500))).toEqual({ acquired: true, lease });
    expect(await leases.get(name)).toEqual(lease);
  });

  it('is not taken from its owner, and says who that is', async () => {
    const name = aName();
    const { lease } = await leases.acquire(name, claim('a'));
    expect(await leases.acquire(name, claim('b', 9))).toEqual({ acquired: false, lease });
    harness.clock.advance(999);
    expect(await leases.acquire(name, claim('b'))).toMatchObject({ acquired: false });
    harness.clock.advance(1);
    expect(await leases.acquire(name, claim('b'))).toMatchObject({ acquired: true, lease: { owner: 'b' } });
    expect(await leases.renew(name, claim('a'))).toBe(false);
    expect(await leases.release(name, claim('a'))).toBe(false);
  });

  it('is taken again by its owner, with the same or a later epoch', async () => {
    const name = aName();
    await leases.acquire(name, claim('a', 2));
    expect(await leases.acquire(name, claim('a', 2, 2_000))).toMatchObject({ acquired: true });
    expect(await leases.acquire(name, claim('a', 3))).toMatchObject({ acquired: true, lease: { epoch: 3 } });
    expect(await leases.acquire(name, claim('a', 2))).toMatchObject({ acquired: false, lease: { epoch: 3 } });
    harness.clock.advance(5_000);
    expect(await leases.acquire(name, claim('a', 2))).toMatchObject({ acquired: false });
  });

  it('is renewed and released by owner and epoch only', async () => {
    const name = aName();
    await leases.acquire(name, claim('a', 2));
    expect(await leases.renew(name, claim('a', 1))).toBe(false);
    expect(await leases.renew(name, claim('b', 2))).toBe(false);
    expect(await leases.renew(name, claim('a', 2, 5_000))).toBe(true);
    expect(await leases.get(name)).toMatchObject({ expiresAtMs: harness.clock.now() + 5_000 });
    expect(await leases.release(name, claim('a', 1))).toBe(false);
    expect(await leases.release(name, claim('a', 2))).toBe(true);
    expect(await leases.release(name, claim('a', 2))).toBe(false);
    expect(await leases.get(name)).toBeUndefined();
    expect(await leases.renew(name, claim('a', 2))).toBe(false);
  });

  it('is not renewed once it has expired, though its record stays', async () => {
    const name = aName();
    const { lease } = await leases.acquire(name, claim('a'));
    harness.clock.advance(1_000);
    expect(await leases.renew(name, claim('a'))).toBe(false);
    expect(await leases.get(name)).toEqual(lease);
    expect(await leases.acquire(name, claim('a'))).toMatchObject({ acquired: true });
  });

  it('goes to exactly one of many who ask at once', async () => {
    const name = aName();
    const owners = Array.from({ length: 20 }, (_, n) => `owner-${n}`);
    const answers = await Promise.all(owners.map((owner) => leases.acquire(name, claim(owner))));
    const winners = answers.filter(({ acquired }) => acquired);
    expect(winners).toHaveLength(1);
    expect(new Set(answers.map(({ lease }) => lease.owner))).toEqual(new Set([winners[0]?.lease.owner]));
  });

  it('is listed by prefix, in order of name', async () => {
    for (const name of ['p/b', 'p/a', 'p/\u{1f680}', 'pp/x', 'P/c', 'p%/y'])
      await leases.acquire(name, claim('a'));
    const names = async (prefix: string) => (await leases.list(prefix)).map(({ name }) => name);
    expect(await names('p/')).toEqual(['p/a', 'p/b', 'p/\u{1f680}']);
    expect(await names('p%')).toEqual(['p%/y']);
    expect(await names('nothing/')).toEqual([]);
    expect(await names('')).toEqual(expect.arrayContaining(['P/c', 'pp/x']));
  });

  it('has one owner at a time through any sequence of claims, renewals, releases and waits', async () => {
    const who = fc.record({ owner: fc.constantFrom('a', 'b', 'c'), epoch: fc.constantFrom(1, 2, 3) });
    const step = fc.oneof(
      fc.record({ act: fc.constant('acquire' as const), who, ms: fc.constantFrom(0, 10, 30) }),
      fc.record({ act: fc.constant('renew' as const), who, ms: fc.constantFrom(10, 30) }),
      fc.record({ act: fc.constant('release' as const), who, ms: fc.constant(0) }),
      fc.record({ act: fc.constant('wait' as const), who, ms: fc.constantFrom(5, 10, 40) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const name = aName();
        let held: Lease | undefined;
        for (const { act, who: by, ms } of steps) {
          const now = harness.clock.now();
          const own = held?.owner === by.owner && held.epoch === by.epoch;
          const expired = held === undefined || held.expiresAtMs <= now;
          const fresh = { name, ...by, expiresAtMs: now + ms };
          if (act === 'wait') harness.clock.advance(ms);
          else if (act === 'acquire') {
            const takes = held?.owner === by.owner ? held.epoch <= by.epoch : expired;
            if (takes) held = fresh;
            expect(await leases.acquire(name, { ...by, ttlMs: ms })).toEqual({
              acquired: takes,
              lease: held,
            });
          } else if (act === 'renew') {
            if (own && !expired) held = fresh;
            expect(await leases.renew(name, { ...by, ttlMs: ms })).toBe(own && !expired);
          } else {
            if (own) held = undefined;
            expect(await leases.release(name, by)).toBe(own);
          }
          expect(await leases.get(name)).toEqual(held);
        }
      }),
      { numRuns: 40 },
    );
  });
}
