import fc from 'fast-check';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Lease, LeaseStore } from '../../src/stores/lease-store.ts';
import { applyToLease, isExplained, type LeaseOperation, performOnLease } from './lease-model.ts';
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

  const operation = fc.record<LeaseOperation>({
    act: fc.constantFrom('acquire', 'acquire', 'renew', 'release'),
    owner: fc.constantFrom('a', 'b', 'c'),
    epoch: fc.constantFrom(1, 2, 3),
    ttlMs: fc.constantFrom(0, 10, 30),
  });
  const wait = fc.constantFrom(0, 0, 5, 10, 40);

  it('has one owner at a time through any sequence of claims, renewals, releases and waits', async () => {
    const steps = fc.array(fc.record({ operation, wait }), { minLength: 3, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const name = aName();
        let held: Lease | undefined;
        for (const { operation: done, wait: ms } of sequence) {
          const step = applyToLease(held, name, done, harness.clock.now());
          held = step.held;
          if (done.act === 'acquire')
            expect(await leases.acquire(name, done)).toEqual({ acquired: step.answer, lease: held });
          else expect(await performOnLease(leases, name, done)).toBe(step.answer);
          expect(await leases.get(name)).toEqual(held);
          harness.clock.advance(ms);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('answers as if its users came one after the other, however they meet', async () => {
    const meetings = fc.array(
      fc.record({ operations: fc.array(operation, { minLength: 2, maxLength: 4 }), wait }),
      { minLength: 2, maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(meetings, async (sequence) => {
        const name = aName();
        let held: Lease | undefined;
        for (const { operations, wait: ms } of sequence) {
          const answers = await Promise.all(
            operations.map(async (done) => ({
              operation: done,
              answer: await performOnLease(leases, name, done),
            })),
          );
          const left = await leases.get(name);
          expect(isExplained(held, name, answers, left, harness.clock.now())).toBe(true);
          held = left;
          harness.clock.advance(ms);
        }
      }),
      { numRuns: 25 },
    );
  });
}
