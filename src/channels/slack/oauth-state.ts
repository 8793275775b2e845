import { createHmac, timingSafeEqual } from 'node:crypto';

/** How long an installation that was begun may take, in milliseconds. */
const VALID_MS = 3_600_000;

/** Marks an installation as begun by whoever holds the app's signing secret, for an hour. */
export function createOauthState(signingSecret: string, nowMs: number): string {
  const expires = String(nowMs + VALID_MS);
  return `${expires}.${sign(signingSecret, expires)}`;
}

export function isOauthState(state: string, signingSecret: string, nowMs: number): boolean {
  const [, expires = '', signature = ''] = /^([0-9]{1,16})\.([0-9a-f]{64})$/.exec(state) ?? [];
  if (expires === '' || Number(expires) <= nowMs) return false;
  return timingSafeEqual(Buffer.from(sign(signingSecret, expires)), Buffer.from(signature));
}

const sign = (secret: string, expires: string): string =>
  createHmac('sha256', secret).update(`bgagent-oauth:${expires}`).digest('hex');
