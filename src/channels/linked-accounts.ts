import { createHash } from 'node:crypto';
import type { AccountLinkStore } from '../stores/account-link-store.ts';
import type { ApiKeyStore } from '../stores/api-key-store.ts';
import type { Actor } from './channel.ts';

/** Who the accounts of another service are here. Rights are those of the key that a link was made with, as long as it is valid. */
export interface LinkedAccounts {
  /** Undefined: not linked, or linked with a key that is no longer good. */
  find(externalId: string): Promise<Actor | undefined>;
  /** Links by a code that someone here asked for; undefined when it is wrong, used or too old. */
  link(externalId: string, code: string): Promise<Actor | undefined>;
  /** False when it was not linked. */
  unlink(externalId: string): Promise<boolean>;
  /** Ends every link whose account starts with `prefix`. */
  forget(prefix: string): Promise<void>;
}

export interface LinkedAccountsOptions {
  /** `slack` or `github`, as the codes have it. */
  provider: string;
  links: AccountLinkStore;
  apiKeys: Pick<ApiKeyStore, 'get'>;
  now(): number;
}

export function createLinkedAccounts({
  provider,
  links,
  apiKeys,
  now,
}: LinkedAccountsOptions): LinkedAccounts {
  async function isGood(keyId: string | null): Promise<boolean> {
    if (keyId === null) return true;
    const key = await apiKeys.get(keyId);
    return (
      key !== undefined &&
      key.revoked_at === null &&
      (key.expires_at === null || Date.parse(key.expires_at) > now())
    );
  }

  return {
    async find(externalId) {
      const link = await links.get(provider, externalId);
      if (!link || !(await isGood(link.key_id))) return undefined;
      return { userId: link.user_id, scopes: link.scopes };
    },

    async link(externalId, code) {
      const hash = createHash('sha256').update(code.trim().toUpperCase()).digest('hex');
      const taken = await links.takeCode(provider, hash);
      if (!taken || !(await isGood(taken.key_id))) return undefined;
      const { user_id, scopes, key_id } = taken;
      await links.put({
        provider,
        external_id: externalId,
        user_id,
        scopes,
        key_id,
        created_at: new Date(now()).toISOString(),
      });
      return { userId: user_id, scopes };
    },

    unlink: (externalId) => links.delete(provider, externalId),

    async forget(prefix) {
      for (const { external_id } of await links.list(provider, prefix))
        await links.delete(provider, external_id);
    },
  };
}
