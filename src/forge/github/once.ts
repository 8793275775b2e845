import { GitHubFailure, hasStatus } from './failures.ts';
import { backoffMs, UNAVAILABLE_TRIES } from './verdicts.ts';

/**
 * Makes something that must be there once: looks for it, makes it, and after a failure that leaves open whether it took effect looks
 * again before it tries again.
 */
export async function makeOnce<T>({
  find,
  make,
  sleep,
  isThere = () => false,
}: {
  find(): Promise<T | null>;
  make(): Promise<T>;
  sleep(ms: number): Promise<void>;
  /** Whether a refusal means that it exists. Default: never. */
  isThere?(failure: GitHubFailure): boolean;
}): Promise<{ value: T; created: boolean }> {
  let unclear = false;
  for (let attempt = 0; ; attempt += 1) {
    const found = await find();
    // After an unclear attempt what is found is most likely our own.
    if (found !== null) return { value: found, created: unclear };
    try {
      return { value: await make(), created: true };
    } catch (error) {
      const exists = error instanceof GitHubFailure && hasStatus(error, 422) && isThere(error);
      const open = error instanceof GitHubFailure && (error.ambiguous || exists);
      if (!open || attempt >= UNAVAILABLE_TRIES - 1) throw error;
      unclear ||= error.ambiguous;
      await sleep(backoffMs(attempt));
    }
  }
}
