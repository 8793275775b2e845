import { blobPrefixesOf } from '../../task/blob-keys.ts';
import type { OrchestratorDeps } from '../dependencies.ts';

const DAY_MS = 86_400_000;
const BATCH = 200;

/** Tasks that ended longer ago than the retention go, with events, logs and diffs. Returns how many. */
export async function reconcileRetention({
  stores,
  blobs,
  settings,
  now,
}: OrchestratorDeps): Promise<number> {
  const endedBefore = new Date(now() - settings.retention_days * DAY_MS).toISOString();
  const removed = await stores.tasks.sweep(endedBefore, BATCH);
  for (const prefix of removed.flatMap(blobPrefixesOf)) await blobs.deletePrefix(prefix);
  return removed.length;
}
