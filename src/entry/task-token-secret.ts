import { randomBytes } from 'node:crypto';
import type { SecretStore } from '../stores/secret-store.ts';

const NAME = 'bgagent/task-token-key';

/** The key that signs runners' tokens: made once, kept in the secret store, so that tokens outlive a restart. */
export async function taskTokenSecret(secrets: SecretStore): Promise<Uint8Array> {
  const kept = await secrets.get(NAME);
  if (kept !== undefined) return Buffer.from(kept, 'base64url');
  const fresh = randomBytes(32);
  await secrets.put(NAME, fresh.toString('base64url'));
  return fresh;
}
