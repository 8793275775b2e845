import { errors, jwtVerify, SignJWT } from 'jose';
import { BgAgentError } from '../task/errors.ts';

/** Bearer tokens of runners: a JWT (HS256) whose audience is the task and whose epoch is the attempt. */
export interface TaskTokens {
  issue(claim: { taskId: string; attempt: number; expiresAtMs: number }): Promise<string>;
  /** What the token is good for. Throws UNAUTHORIZED when it is forged, expired, or not a task token. */
  verify(token: string): Promise<{ taskId: string; attempt: number }>;
}

const ISSUER = 'bgagent';

/** `secret`: at least 32 random bytes, the same after a restart of the platform. */
export function createTaskTokens({ secret, now }: { secret: Uint8Array; now: () => number }): TaskTokens {
  if (secret.byteLength < 32) throw new RangeError('the secret of task tokens needs at least 32 bytes');
  return {
    issue: ({ taskId, attempt, expiresAtMs }) =>
      new SignJWT({ epoch: attempt })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer(ISSUER)
        .setAudience(taskId)
        .setIssuedAt(Math.floor(now() / 1_000))
        .setExpirationTime(Math.ceil(expiresAtMs / 1_000))
        .sign(secret),

    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, secret, {
          algorithms: ['HS256'],
          issuer: ISSUER,
          currentDate: new Date(now()),
          requiredClaims: ['aud', 'exp', 'epoch'],
        });
        if (typeof payload.aud === 'string' && typeof payload.epoch === 'number')
          return { taskId: payload.aud, attempt: payload.epoch };
      } catch (error) {
        if (!(error instanceof errors.JOSEError)) throw error;
        throw new BgAgentError('UNAUTHORIZED', 'the task token is not valid or has expired', {
          cause: error,
        });
      }
      throw new BgAgentError('UNAUTHORIZED', 'the token is not a task token');
    },
  };
}
