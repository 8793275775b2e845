import { payloadKey } from '../../task/blob-keys.ts';
import { type Claim, ownTask } from '../claim.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { type Finalized, finalize } from './finalize.ts';

/**
 * Where an earlier attempt has done the work and only its end is missing, the next one goes on from there: nobody pays for the
 * work twice.
 */
export async function takeUp(deps: OrchestratorDeps, claim: Claim): Promise<Finalized | { kind: 'nothing' }> {
  const { stores, blobs } = deps;
  const { taskId, attempt } = claim;
  const task = await ownTask(stores, claim);
  if (task.status !== 'FINALIZING') return { kind: 'nothing' };
  for (let earlier = attempt; earlier >= 1; earlier -= 1) {
    const outcome = await stores.outcomes.get(taskId, earlier);
    const payload = await blobs.get(payloadKey(taskId, earlier));
    if (!outcome || !payload) continue;
    await blobs.put(payloadKey(taskId, attempt), payload);
    await stores.outcomes.put(taskId, attempt, outcome);
    return finalize(deps, claim, null);
  }
  return { kind: 'nothing' };
}
