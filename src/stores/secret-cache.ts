import type { SecretStore } from './secret-store.ts';

export interface SecretCacheOptions {
  /** How long a value may be used before it is read again, in milliseconds; 0 = not at all. */
  maxAgeMs: number;
  /** Milliseconds since 1970. */
  now(): number;
}

/**
 * A secret store that remembers values for a while: what is rotated elsewhere is seen after `maxAgeMs` at most, what is changed here at
 * once. Many who ask at the same time cause one read. That there is none is never remembered, nor is a failure.
 */
export function cachedSecrets(secrets: SecretStore, { maxAgeMs, now }: SecretCacheOptions): SecretStore {
  const kept = new Map<string, { value: Promise<string | undefined>; readAtMs: number }>();

  return {
    get(name) {
      const known = kept.get(name);
      if (known && now() - known.readAtMs < maxAgeMs) return known.value;
      const entry = { value: secrets.get(name), readAtMs: now() };
      const forget = (): void => {
        if (kept.get(name) === entry) kept.delete(name);
      };
      kept.set(name, entry);
      entry.value.then((value) => value === undefined && forget(), forget);
      return entry.value;
    },
    async put(name, value) {
      kept.delete(name);
      await secrets.put(name, value);
      // Also what was read while the write was on its way.
      kept.delete(name);
    },
    async delete(name) {
      kept.delete(name);
      await secrets.delete(name);
      kept.delete(name);
    },
    list: secrets.list,
  };
}
