import { createHmac, timingSafeEqual } from 'node:crypto';
import type { InboundRequest } from '../channel.ts';

/** Age, and lead, at which a signed request counts as replayed. */
const MAX_AGE_S = 300;

/** Whether Slack has signed this request with the app's secret within the last five minutes. */
export function isSigned(
  { header, body }: Pick<InboundRequest, 'header' | 'body'>,
  signingSecret: string,
  nowMs: number,
): boolean {
  const timestamp = header('x-slack-request-timestamp') ?? '';
  const signature = header('x-slack-signature') ?? '';
  if (!/^[0-9]{1,12}$/.test(timestamp) || !/^v0=[0-9a-f]{64}$/.test(signature)) return false;
  if (Math.abs(nowMs / 1_000 - Number(timestamp)) > MAX_AGE_S) return false;
  const expected = createHmac('sha256', signingSecret).update(`v0:${timestamp}:${body}`).digest();
  return timingSafeEqual(expected, Buffer.from(signature.slice(3), 'hex'));
}
