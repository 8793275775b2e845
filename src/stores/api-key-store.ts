import { z } from 'zod';
import type { Page } from '../task/page.ts';
import { API_KEY_SCOPES } from '../task/scopes.ts';

export const apiKeyRecordSchema = z.object({
  key_id: z.string(),
  user_id: z.string(),
  name: z.string(),
  /** SHA-256 of the secret part, hex: the secret has 256 random bits, so a slow hash adds nothing. */
  secret_hash: z.string(),
  scopes: z.array(z.enum(API_KEY_SCOPES)),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  /** To the minute. */
  last_used_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
export type ApiKeyRecord = z.infer<typeof apiKeyRecordSchema>;

export interface ApiKeyStore {
  create(record: ApiKeyRecord): Promise<void>;
  get(keyId: string): Promise<ApiKeyRecord | undefined>;
  /** Own keys, all users' without `userId`; by key id, revoked ones too. */
  list(query: {
    userId?: string | undefined;
    limit: number;
    nextToken?: string | undefined;
  }): Promise<Page<ApiKeyRecord>>;
  /** False when it was revoked before. Throws API_KEY_NOT_FOUND. */
  revoke(keyId: string, at: string): Promise<boolean>;
  /** Notes the use; cheap to call at each request, since it writes once a minute. */
  touch(keyId: string, at: string): Promise<void>;
}
