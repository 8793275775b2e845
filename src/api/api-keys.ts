import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ApiKeyRecord, ApiKeyStore } from '../stores/api-key-store.ts';
import { BgAgentError } from '../task/errors.ts';
import type { ApiKeyScope } from '../task/scopes.ts';

/** `bgak_<id>_<secret>`: the id finds the record, of the secret only a hash is kept. */
const KEY_PATTERN = /^bgak_([0-7][0-9A-HJKMNP-TV-Z]{25})_([0-9a-f]{64})$/;

/** How often the time of last use is written, at most. */
const TOUCH_INTERVAL_MS = 60_000;

/** Who asks. */
export interface Principal {
  userId: string;
  /** The API key that was shown; null when the caller shows something else. */
  keyId: string | null;
  scopes: readonly ApiKeyScope[];
}

/** `admin` may do everything. */
export const hasScope = ({ scopes }: Principal, scope: ApiKeyScope): boolean =>
  scopes.includes(scope) || scopes.includes('admin');

interface NewApiKey {
  userId: string;
  name: string;
  scopes: readonly ApiKeyScope[];
  /** ISO 8601; null = never. */
  expiresAt: string | null;
}

/** Makes and stores a key; the key itself is returned this once. */
export async function createApiKey(
  { apiKeys, now, newId }: { apiKeys: ApiKeyStore; now: () => number; newId: () => string },
  { userId, name, scopes, expiresAt }: NewApiKey,
  secret: string = randomBytes(32).toString('hex'),
): Promise<{ key: string; record: ApiKeyRecord }> {
  const record: ApiKeyRecord = {
    key_id: newId(),
    user_id: userId,
    name,
    secret_hash: hash(secret),
    scopes: [...new Set(scopes)],
    created_at: new Date(now()).toISOString(),
    expires_at: expiresAt,
    last_used_at: null,
    revoked_at: null,
  };
  await apiKeys.create(record);
  return { key: `bgak_${record.key_id}_${secret}`, record };
}

/** Whose key it is. Throws UNAUTHORIZED, which tells expired and revoked keys apart only to those who hold the secret. */
export async function verifyApiKey(
  { apiKeys, now }: { apiKeys: ApiKeyStore; now: () => number },
  key: string,
): Promise<{ principal: Principal; touch: (() => Promise<void>) | null }> {
  const [, keyId = '', secret = ''] = KEY_PATTERN.exec(key) ?? [];
  const record = keyId === '' ? undefined : await apiKeys.get(keyId);
  const known = timingSafeEqual(
    Buffer.from(hash(secret), 'hex'),
    Buffer.from(record?.secret_hash ?? hash(''), 'hex'),
  );
  if (!record || !known) throw new BgAgentError('UNAUTHORIZED', 'the API key is not valid');
  if (record.revoked_at !== null) throw new BgAgentError('UNAUTHORIZED', 'the API key was revoked');
  const at = now();
  if (record.expires_at !== null && Date.parse(record.expires_at) <= at)
    throw new BgAgentError('UNAUTHORIZED', `the API key expired at ${record.expires_at}`);
  const stale = record.last_used_at === null || at - Date.parse(record.last_used_at) >= TOUCH_INTERVAL_MS;
  return {
    principal: { userId: record.user_id, keyId, scopes: record.scopes },
    touch: stale ? () => apiKeys.touch(keyId, new Date(at).toISOString()) : null,
  };
}

const hash = (secret: string): string => createHash('sha256').update(secret).digest('hex');
