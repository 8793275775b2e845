import { createValueMask, type ValueMask } from '../runner/value-mask.ts';
import type { SecretStore } from '../stores/secret-store.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { Log } from '../task/log.ts';

export interface SecretMaskOptions {
  secrets: Pick<SecretStore, 'list' | 'get'>;
  /** Milliseconds since the epoch. */
  now(): number;
  log: Log;
  /** For so long the store is not asked again; a secret that is put meanwhile is hidden from then on. Default 30,000 ms. */
  maxAgeMs?: number;
}

/**
 * The mask of all that the secret store holds. It's read once and then now and then, not for each report. When that fails the last
 * mask stays; without one it throws SERVICE_UNAVAILABLE, so that nothing is written unseen.
 */
export function createSecretMask({
  secrets,
  now,
  log,
  maxAgeMs = 30_000,
}: SecretMaskOptions): () => Promise<ValueMask> {
  let mask: ValueMask | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const startedAt = now();
    const names = await secrets.list();
    const values = await Promise.all(names.map((name) => secrets.get(name)));
    mask = createValueMask(values.filter((value) => value !== undefined));
    readAt = startedAt;
  }
  return async () => {
    if (!mask || now() - readAt >= maxAgeMs) {
      reading ??= read().finally(() => {
        reading = undefined;
      });
      try {
        await reading;
      } catch (error) {
        // The runner tries again then, and nothing is lost.
        if (!mask)
          throw new BgAgentError('SERVICE_UNAVAILABLE', 'the secret store can not be read', { cause: error });
        log.warn(
          { event: 'entry.secret_mask.stale', error: messageOf(error) },
          'the secret store could not be read; its values of before are hidden',
        );
        // Not at each report.
        readAt = now();
      }
    }
    if (!mask) throw new Error('there is no mask');
    return mask;
  };
}
