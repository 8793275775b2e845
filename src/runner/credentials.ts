import { BgAgentError, isErrorCode } from '../task/errors.ts';
import type { Credentials, ModelAccess } from '../task/protocol.ts';
import { secretsOf } from './model.ts';
import { type Platform, RefusedError } from './platform.ts';
import type { WorkInput } from './work-input.ts';

export interface CredentialsOptions {
  platform: Pick<Platform, 'credentials'>;
  now(): number;
  /** Is told every value that must be hidden from then on. */
  hide(...values: string[]): void;
}

/** Old ones that end sooner than this are not handed out: what is begun with them takes its time, such as a push. */
const NEARLY_OVER_MS = 5 * 60_000;
/** Of the time that credentials last: what of it passes before others are asked for, while the old ones still do. */
const FRESH = 0.8;

/**
 * The platform's credentials: asked for when the first transfer or model call needs them, and anew before they end. Nobody waits
 * for new ones while the old ones are good. Throws what the platform says, by its code.
 */
export function createCredentials({
  platform,
  now,
  hide,
}: CredentialsOptions): Pick<WorkInput, 'credentials' | 'modelAccess'> {
  let held: { credentials: Credentials; freshUntil: number; goodUntil: number } | undefined;
  let asking: Promise<Credentials> | undefined;

  async function ask(): Promise<Credentials> {
    const askedAt = now();
    const credentials = await platform.credentials().catch(rethrow);
    const { git, model, expires_at } = credentials;
    if (git) hide(git.password, Buffer.from(`${git.username}:${git.password}`).toString('base64'));
    if (model) hide(...secretsOf(model));
    const endsAt = expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(expires_at);
    const goodUntil = Math.max(endsAt - NEARLY_OVER_MS, askedAt + (endsAt - askedAt) * FRESH);
    held = { credentials, goodUntil, freshUntil: askedAt + (goodUntil - askedAt) * FRESH };
    return credentials;
  }
  const renew = (): Promise<Credentials> => {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
  async function current(anew = false): Promise<Credentials> {
    if (anew || !held || now() >= held.goodUntil) return renew();
    // Whoever needs them once they have ended gets to hear why there are no others.
    if (now() >= held.freshUntil) renew().catch(() => undefined);
    return held.credentials;
  }
  return {
    credentials: async (anew) => (await current(anew)).git,
    modelAccess: async (anew): Promise<ModelAccess | null> => (await current(anew)).model,
  };
}

function rethrow(error: unknown): never {
  if (error instanceof RefusedError && isErrorCode(error.code))
    throw new BgAgentError(error.code, error.reason, { cause: error });
  throw error;
}
