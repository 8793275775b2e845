import { z } from 'zod';
import { API_KEY_SCOPES } from '../task/scopes.ts';

/** A person's account elsewhere (a Slack or GitHub user) is a user of this platform. */
export const accountLinkSchema = z.object({
  provider: z.string(),
  /** The account there: `<team id>/<user id>` for Slack. */
  external_id: z.string(),
  user_id: z.string(),
  /** Rights of the key that the link was made with, and that key: when it is revoked, the link is worth nothing. */
  scopes: z.array(z.enum(API_KEY_SCOPES)),
  key_id: z.string().nullable(),
  created_at: z.string(),
});
export type AccountLink = z.infer<typeof accountLinkSchema>;

/** A link that waits for the other side: whoever shows the code from the account there becomes this user. */
export const linkCodeSchema = accountLinkSchema
  .pick({ provider: true, user_id: true, scopes: true, key_id: true })
  .extend({
    /** SHA-256 of the code, hex. */
    code_hash: z.string(),
    expires_at_ms: z.number(),
  });
export type LinkCode = z.infer<typeof linkCodeSchema>;

export interface AccountLinkStore {
  get(provider: string, externalId: string): Promise<AccountLink | undefined>;
  /** Replaces the account's earlier link. */
  put(link: AccountLink): Promise<void>;
  /** False when there was none. */
  delete(provider: string, externalId: string): Promise<boolean>;
  /** Links whose external id starts with `prefix`, by id: all of a Slack workspace. */
  list(provider: string, prefix: string): Promise<AccountLink[]>;

  putCode(code: LinkCode): Promise<void>;
  /** The code, once, before it expires. */
  takeCode(provider: string, codeHash: string): Promise<LinkCode | undefined>;
}
