import { createHash } from 'node:crypto';
import type { AccountLinkStore } from '../../stores/account-link-store.ts';
import type { ApiKeyStore } from '../../stores/api-key-store.ts';
import type { Actor } from '../channel.ts';

/** Who a Slack user is here. Rights are those of the key that the link was made with, as long as it is valid. */

const PROVIDER = 'slack';

export interface People {
  /** Undefined: not linked, or linked with a key that is no longer good. */
  find(teamId: string, userId: string): Promise<Actor | undefined>;
  /** Links by a code that someone here asked for; undefined when it is wrong, used or too old. */
  link(teamId: string, userId: string, code: string): Promise<Actor | undefined>;
  unlink(teamId: string, userId: string): Promise<boolean>;
  /** Ends every link of a workspace that removed the app. */
  forgetTeam(teamId: string): Promise<void>;
}

export function createPeople({
  links,
  apiKeys,
  now,
}: {
  links: AccountLinkStore;
  apiKeys: Pick<ApiKeyStore, 'get'>;
  now(): number;
}): People {
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
    async find(teamId, userId) {
      const link = await links.get(PROVIDER, `${teamId}/${userId}`);
      if (!link || !(await isGood(link.key_id))) return undefined;
      return { userId: link.user_id, scopes: link.scopes };
    },

    async link(teamId, userId, code) {
      const hash = createHash('sha256').update(code.trim().toUpperCase()).digest('hex');
      const taken = await links.takeCode(PROVIDER, hash);
      if (!taken || !(await isGood(taken.key_id))) return undefined;
      const { user_id, scopes, key_id } = taken;
      await links.put({
        ...{ provider: PROVIDER, external_id: `${teamId}/${userId}`, user_id, scopes, key_id },
        created_at: new Date(now()).toISOString(),
      });
      return { userId: user_id, scopes };
    },

    unlink: (teamId, userId) => links.delete(PROVIDER, `${teamId}/${userId}`),

    async forgetTeam(teamId) {
      for (const { external_id } of await links.list(PROVIDER, `${teamId}/`))
        await links.delete(PROVIDER, external_id);
    },
  };
}
