import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Settings } from '../config/settings.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { ApiKeyScope } from '../task/scopes.ts';
import type { Principal } from './api-keys.ts';

/** What people may do who are no admins: everything with their own tasks and webhooks. */
const USER_SCOPES: readonly ApiKeyScope[] = ['tasks:read', 'tasks:write', 'tasks:cancel', 'webhooks:manage'];

/** Signatures with a public key only: a token that is "signed" with our own public key, or not at all, is none. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** How long the sign-in service may take to answer, in milliseconds. */
const ANSWER_LIMIT_MS = 5_000;

/** Characters of a user id: printable, without spaces. */
const USER_ID = /^[\x21-\x7e]{1,128}$/;

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() });

/**
 * Checks tokens of an OIDC provider (Cognito too): signature by the provider's published keys, issuer, audience, times. Undefined
 * when `oidc_issuer` is not set. Throws VALIDATION_ERROR for settings that could not be safe.
 */
export function createTokenVerifier({
  settings,
  now,
}: {
  settings: Settings;
  /** Milliseconds since 1970. */
  now: () => number;
}): ((token: string) => Promise<Principal>) | undefined {
  const { oidc_issuer: issuer, oidc_audience: audience } = settings;
  if (issuer === null) return undefined;
  if (audience.length === 0)
    throw new BgAgentError(
      'VALIDATION_ERROR',
      'oidc_audience: needed with oidc_issuer, so that tokens for other programs are not taken here',
      { field: 'oidc_audience' },
    );
  if (!isSafe(issuer))
    throw new BgAgentError('VALIDATION_ERROR', 'oidc_issuer: must be an https:// address', {
      field: 'oidc_issuer',
    });
  const keys = createKeySource(issuer);

  return async (token) => {
    // Nobody is asked for the keys to what isn't even a token.
    if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) throw refused('it is not a JWT');
    const payload = await verified(token, await keys(), settings, now);
    requireAudience(payload, audience);
    const latest = now() / 1_000 + settings.oidc_clock_tolerance_s;
    if (payload.iat !== undefined && payload.iat > latest)
      throw refused('it was issued in the future; check the clocks');
    return principalOf(payload, settings);
  };
}

async function verified(
  token: string,
  keys: JWTVerifyGetKey,
  { oidc_issuer, oidc_clock_tolerance_s }: Settings,
  now: () => number,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      issuer: oidc_issuer ?? '',
      clockTolerance: oidc_clock_tolerance_s,
      currentDate: new Date(now()),
      requiredClaims: ['exp'],
    });
    return payload;
  } catch (error) {
    throw isTokensFault(error) ? refused(messageOf(error), error) : unavailable(error);
  }
}

/** Everything else is the fault of the service that has the keys, or of the way to it. */
const isTokensFault = (error: unknown): boolean =>
  error instanceof errors.JWTInvalid ||
  error instanceof errors.JWTExpired ||
  error instanceof errors.JWTClaimValidationFailed ||
  error instanceof errors.JWSInvalid ||
  error instanceof errors.JWSSignatureVerificationFailed ||
  error instanceof errors.JOSEAlgNotAllowed ||
  error instanceof errors.JOSENotSupported ||
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys;

/** Access tokens of Cognito name their audience in `client_id`; it counts only where there is no `aud`. */
function requireAudience({ aud, client_id }: JWTPayload, wanted: readonly string[]): void {
  const named = aud ?? client_id;
  const audiences = Array.isArray(named) ? named : [named];
  if (!audiences.some((one) => typeof one === 'string' && wanted.includes(one)))
    throw refused('it is meant for another program (its audience is none of oidc_audience)');
}

function principalOf(payload: JWTPayload, settings: Settings): Principal {
  const { oidc_user_claim: claim, oidc_groups_claim, oidc_admin_group } = settings;
  const userId = payload[claim];
  if (typeof userId !== 'string' || !USER_ID.test(userId))
    throw refused(`its claim "${claim}" is no user id of up to 128 printable characters without spaces`);
  // Whoever may enter any address at sign-up must not become the one whose address it is.
  if (claim === 'email' && payload.email_verified !== true && payload.email_verified !== 'true')
    throw refused('its e-mail address is not verified');
  const groups = payload[oidc_groups_claim];
  const isAdmin =
    oidc_admin_group !== null &&
    (Array.isArray(groups) ? groups.includes(oidc_admin_group) : groups === oidc_admin_group);
  return { userId, keyId: null, scopes: isAdmin ? ['admin'] : USER_SCOPES };
}

/** The provider's published keys; what it publishes is looked up once, its keys as often as they change. */
function createKeySource(issuer: string): () => Promise<JWTVerifyGetKey> {
  let found: Promise<JWTVerifyGetKey> | undefined;
  return () => {
    found ??= discover(issuer).catch((error: unknown) => {
      // The next request asks again.
      found = undefined;
      throw unavailable(error);
    });
    return found;
  };
}

async function discover(issuer: string): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    headers: { Accept: 'application/json' },
    redirect: 'error',
  });
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  const { issuer: named, jwks_uri } = discoverySchema.parse(await response.json());
  if (named !== issuer) throw new Error(`it calls itself ${named.slice(0, 200)}, not ${issuer}`);
  if (!isSafe(jwks_uri)) throw new Error('its keys are not at an https:// address');
  return createRemoteJWKSet(new URL(jwks_uri), { timeoutDuration: ANSWER_LIMIT_MS });
}

/** Keys that come in the clear could be anyone's; on this machine nobody is in between. */
function isSafe(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return (
    protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
  );
}

const refused = (reason: string, cause?: unknown): BgAgentError =>
  new BgAgentError('UNAUTHORIZED', `the token is not accepted: ${reason}`, { cause });

const unavailable = (cause: unknown): BgAgentError =>
  cause instanceof BgAgentError
    ? cause
    : new BgAgentError(
        'SERVICE_UNAVAILABLE',
        'the sign-in service (oidc_issuer) can not be asked for its keys',
        {
          cause,
        },
      );
