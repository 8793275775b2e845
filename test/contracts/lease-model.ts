import type { Lease, LeaseStore } from '../../src/stores/lease-store.ts';

/** What a lease store must answer, by the book: pure. */

export interface LeaseOperation {
  act: 'acquire' | 'renew' | 'release';
  owner: string;
  epoch: number;
  ttlMs: number;
}

export interface LeaseStep {
  /** `acquired` of an acquire, else the answer. */
  answer: boolean;
  held: Lease | undefined;
}

export function applyToLease(
  held: Lease | undefined,
  name: string,
  { act, owner, epoch, ttlMs }: LeaseOperation,
  now: number,
): LeaseStep {
  const own = held?.owner === owner && held.epoch === epoch;
  const expired = held === undefined || held.expiresAtMs <= now;
  const fresh: Lease = { name, owner, epoch, expiresAtMs: now + ttlMs };
  if (act === 'acquire') {
    const answer = held?.owner === owner ? held.epoch <= epoch : expired;
    return { answer, held: answer ? fresh : held };
  }
  if (act === 'renew') return { answer: own && !expired, held: own && !expired ? fresh : held };
  return { answer: own, held: own ? undefined : held };
}

export async function performOnLease(
  leases: LeaseStore,
  name: string,
  { act, ...claim }: LeaseOperation,
): Promise<boolean> {
  if (act === 'acquire') return (await leases.acquire(name, claim)).acquired;
  return act === 'renew' ? leases.renew(name, claim) : leases.release(name, claim);
}

/** Whether there is an order in which these operations give these answers and leave this record. */
export function isExplained(
  held: Lease | undefined,
  name: string,
  done: readonly { operation: LeaseOperation; answer: boolean }[],
  left: Lease | undefined,
  now: number,
): boolean {
  if (done.length === 0) return JSON.stringify(held) === JSON.stringify(left);
  return done.some(({ operation, answer }, at) => {
    const step = applyToLease(held, name, operation, now);
    const others = done.filter((_, other) => other !== at);
    return step.answer === answer && isExplained(step.held, name, others, left, now);
  });
}
