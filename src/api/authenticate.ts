import type { Settings } from '../config/settings.ts';
import type { ApiKeyStore } from '../stores/api-key-store.ts';
import { BgAgentError } from '../task/errors.ts';
import { type Principal, verifyApiKey } from './api-keys.ts';
import { createTokenVerifier } from './oidc.ts';

/** What a caller shows: the two headers that may hold a key or a token. */
export interface Credentials {
  /** `X-API-Key` */
  apiKey: string | undefined;
  /** `Authorization`: `Bearer <key or token>`, or the token alone. */
  authorization: string | undefined;
}

export interface Authenticated {
  principal: Principal;
  /** Notes the use of a key; null when it needs no note. */
  touch: (() => Promise<void>) | null;
}

/** Says who a caller is. Throws UNAUTHORIZED, and SERVICE_UNAVAILABLE when the keys of the sign-in service can't be had. */
export type Authenticate = (credentials: Credentials) => Promise<Authenticated>;

const WHAT_TO_SEND = 'send an API key in X-API-Key or as `Authorization: Bearer`';

/** API keys always; tokens of people who signed in elsewhere when `oidc_issuer` is set. */
export function createAuthenticate({
  apiKeys,
  settings,
  now,
}: {
  apiKeys: ApiKeyStore;
  settings: Settings;
  now: () => number;
}): Authenticate {
  const verifyToken = createTokenVerifier({ settings, now });
  return async ({ apiKey, authorization }) => {
    if (apiKey !== undefined) return verifyApiKey({ apiKeys, now }, apiKey);
    const [, scheme, credential] = /^(?:(Bearer) +)?(\S+)$/i.exec(authorization?.trim() ?? '') ?? [];
    if (credential === undefined) throw new BgAgentError('UNAUTHORIZED', WHAT_TO_SEND);
    // A key alone in Authorization is a slip that only this can name; it has shown itself, so it is taken.
    if (credential.startsWith('bgak_')) return verifyApiKey({ apiKeys, now }, credential);
    if (verifyToken) return { principal: await verifyToken(credential), touch: null };
    throw new BgAgentError(
      'UNAUTHORIZED',
      scheme === undefined
        ? WHAT_TO_SEND
        : 'the API key is not valid (it begins with bgak_; tokens are taken when oidc_issuer is set)',
    );
  };
}
