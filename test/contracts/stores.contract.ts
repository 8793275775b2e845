import { describe } from 'vitest';
import type { Stores } from '../../src/stores/stores.ts';
import { createIdSource } from '../../src/task/ids.ts';
import { accountLinkStoreContract } from './account-link-store.contract.ts';
import { admissionContract } from './admission.contract.ts';
import { apiKeyStoreContract } from './api-key-store.contract.ts';
import { deliveryStoreContract } from './delivery-store.contract.ts';
import { eventStoreContract } from './event-store.contract.ts';
import { leaseStoreContract } from './lease-store.contract.ts';
import { messageStoreContract } from './message-store.contract.ts';
import { nudgeStoreContract } from './nudge-store.contract.ts';
import { outcomeStoreContract } from './outcome-store.contract.ts';
import { repoStoreContract } from './repo-store.contract.ts';
import { type Skip, testsWithSkips } from './skips.ts';
import { taskMovesContract } from './task-moves.contract.ts';
import { taskStoreContract } from './task-store.contract.ts';
import { wakeupStoreContract } from './wakeup-store.contract.ts';
import { webhookStoreContract } from './webhook-store.contract.ts';

/** Fresh, empty stores over one backend, on a clock that stands still. */
export interface StoresHarness {
  stores: Stores;
  clock: Clock;
  /** The same data through new stores, as after a restart of the platform. Closes the old ones. */
  reopen(): Promise<Stores>;
  /** Leaves a slot that no task justifies, as a defect would. */
  plantSlot(userId: string, taskId: string): Promise<void>;
  close(): Promise<void>;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Goes back when negative. */
  advance(ms: number): void;
}

/** What each part of the suite works with. */
export interface Part {
  create(): Promise<StoresHarness>;
  it: ReturnType<typeof testsWithSkips>;
}

/** What every set of database-backed stores does. */
export function storesContract({
  name,
  create,
  skip = [],
}: {
  name: string;
  create(): Promise<StoresHarness>;
  skip?: readonly Skip[];
}): void {
  describe(`stores: ${name}`, () => {
    const part: Part = { create, it: testsWithSkips(skip) };
    describe('tasks', () => taskStoreContract(part));
    describe('moves of a task', () => taskMovesContract(part));
    describe('admission', () => admissionContract(part));
    describe('events', () => eventStoreContract(part));
    describe('wake-ups', () => wakeupStoreContract(part));
    describe('outcomes', () => outcomeStoreContract(part));
    describe('leases', () => leaseStoreContract(part));
    describe('repositories', () => repoStoreContract(part));
    describe('API keys', () => apiKeyStoreContract(part));
    describe('webhooks', () => webhookStoreContract(part));
    describe('nudges', () => nudgeStoreContract(part));
    describe('deliveries', () => deliveryStoreContract(part));
    describe('posted messages', () => messageStoreContract(part));
    describe('linked accounts', () => accountLinkStoreContract(part));
  });
}

/** A clock that moves only when it is told to. */
export function createClock(start = Date.parse('2030-01-01T00:00:00.000Z')): Clock {
  let at = start;
  return {
    now: () => at,
    advance(ms) {
      at += ms;
    },
  };
}

/** Task ids in growing order, different in every test of the run. */
export const newTaskId = createIdSource(() => Date.parse('2029-12-31T00:00:00.000Z'));
