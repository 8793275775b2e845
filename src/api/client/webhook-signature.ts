/**
 * How a delivery to POST /v1/webhooks/tasks is signed: HMAC with SHA-256, the key is the webhook's secret as it was shown (UTF-8),
 * the text is the raw body, or `<timestamp>.<raw body>` when X-Webhook-Timestamp (seconds since 1970) is sent.
 */
const signedText = (body: string, timestamp: string | undefined): string =>
  timestamp === undefined ? body : `${timestamp}.${body}`;

/**
 * The headers of a signed delivery of `body`, sent as it is. With `timestampMs` (milliseconds since 1970; now, for most) it is
 * good for five minutes, and two deliveries of one body are two; without, a body can be delivered once only.
 */
export async function signDelivery({
  webhookId,
  secret,
  body,
  timestampMs,
}: {
  webhookId: string;
  secret: string;
  body: string;
  timestampMs?: number | undefined;
}): Promise<Record<string, string>> {
  const timestamp = timestampMs === undefined ? undefined : String(Math.floor(timestampMs / 1_000));
  const bytes = new TextEncoder();
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', bytes.encode(secret), algorithm, false, ['sign']);
  const signature = await crypto.subtle.sign('HMAC', key, bytes.encode(signedText(body, timestamp)));
  const hex = Array.from(new Uint8Array(signature), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return {
    'X-Webhook-Id': webhookId,
    'X-Webhook-Signature': `sha256=${hex}`,
    ...(timestamp === undefined ? {} : { 'X-Webhook-Timestamp': timestamp }),
  };
}
