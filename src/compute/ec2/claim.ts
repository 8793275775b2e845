import type { FleetSession, InstanceStore } from '../../stores/instance-store.ts';
import type { Pool } from './pools.ts';

export type Claim =
  | { kind: 'claimed'; session: FleetSession; pool: Pool }
  /** The session was claimed before, by a start whose answer was lost or that is still under way. */
  | { kind: 'known' }
  | { kind: 'none' };

/**
 * Takes an idle machine for a session: one conditional write on the machine's own record. Candidates are tried in random order and
 * looked up again after each miss, so that many claimers at once spread over what is left; who finds nothing idle writes nothing.
 */
export async function claimMachine(
  { instances, random }: { instances: Pick<InstanceStore, 'idle' | 'claim'>; random(): number },
  session: Omit<FleetSession, 'instanceId'>,
  pools: readonly Pool[],
  avoid: ReadonlySet<string> = new Set(),
): Promise<Claim> {
  const tried = new Set(avoid);
  for (const pool of pools) {
    for (;;) {
      const candidates = (await instances.idle(session.fleet, pool.name)).filter((id) => !tried.has(id));
      const instanceId = candidates[Math.floor(random() * candidates.length)];
      if (instanceId === undefined) break;
      tried.add(instanceId);
      const claimed = { ...session, instanceId };
      const answer = await instances.claim(claimed);
      if (answer === 'known') return { kind: 'known' };
      if (answer === 'claimed') return { kind: 'claimed', session: claimed, pool };
    }
  }
  return { kind: 'none' };
}
