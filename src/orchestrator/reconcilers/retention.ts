import { blobPrefixesOf } from '../../task/blob-keys.ts';
import type { OrchestratorDeps } from '../dependencies.ts';

const DAY_MS = 86_400_000;
const BATCH = 200;

/**
 * Tasks that ended longer ago than the retention go, with events, outcomes, nudges, idempotency keys, logs and diffs; so do
 * webhooks that were revoked before it, with what is remembered of their deliveries. Returns how many (T8).
 */
export async function reconcileRetention({
  stores,
  blobs,
  settings,
  now,
}: OrchestratorDeps): Promise<number> {
  const endedBefore = new Date(now() - settings.retention_days * DAY_MS).toISOString();
  const removed = await stores.tasks.sweep(endedBefore, BATCH);
  for (const prefix of removed.flatMap(blobPrefixesOf)) await blobs.deletePrefix(prefix);
  const webhooks = await stores.webhooks.sweep(endedBefore, BATCH);
  return removed.length + webhooks.length;
}
