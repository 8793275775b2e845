import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createClock } from '../../../test/contracts/stores.contract.ts';
import { raceForLeases } from '../../../test/fixtures/lease-race.ts';
import { openDatabase } from '../../sqlite/open.ts';
import type { LeaseStore } from '../lease-store.ts';
import { createSqliteStores, storeMigrations } from './stores.ts';

it('gives no lease to two of 32 claimers, who also die and oversleep', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bgagent-race-'));
  const database = await openDatabase({ file: join(folder, 'bgagent.db'), migrations: [storeMigrations] });
  try {
    const clock = createClock();
    const { leases } = createSqliteStores({ database, now: clock.now });
    const names = Array.from({ length: 8 }, (_, n) => `instance/i-${n}`);
    const race = await raceForLeases({
      leases,
      clock,
      names,
      claimers: 32,
      rounds: 60,
      random: Math.random,
    });
    expect(race).toMatchObject({ doubles: [], left: [] });
    expect(race.claims).toBeGreaterThan(100);
    expect(await leases.list('')).toEqual([]);
  } finally {
    await database.close();
    rmSync(folder, { recursive: true });
  }
});

it('would see a store that gives a lease away twice', async () => {
  const clock = createClock();
  const generous: Pick<LeaseStore, 'acquire' | 'renew' | 'release'> = {
    acquire: async (name, { owner, epoch, ttlMs }) => ({
      acquired: true,
      lease: { name, owner, epoch, expiresAtMs: clock.now() + ttlMs },
    }),
    renew: async () => true,
    release: async () => true,
  };
  const race = await raceForLeases({
    leases: generous,
    clock,
    names: ['i-0'],
    claimers: 4,
    rounds: 10,
    random: Math.random,
  });
  expect(race.doubles).not.toEqual([]);
});
