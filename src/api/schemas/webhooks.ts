import { z } from '@hono/zod-openapi';
import { webhookRecordSchema } from '../../stores/webhook-store.ts';
import { line, strict, ulidSchema } from './envelope.ts';

export const createWebhookSchema = strict({
  /** What it is for. */
  name: line(100),
}).openapi('CreateWebhookRequest');
export type CreateWebhookRequest = z.input<typeof createWebhookSchema>;

export const webhookDetailSchema = webhookRecordSchema.extend({}).openapi('Webhook');
export type WebhookDetail = z.infer<typeof webhookDetailSchema>;

export const createdWebhookSchema = webhookDetailSchema
  .extend({ secret: z.string().describe('What deliveries are signed with. Shown this once.') })
  .openapi('CreatedWebhook');
export type CreatedWebhook = z.infer<typeof createdWebhookSchema>;

export const webhookParams = z.object({ webhook_id: ulidSchema });

/** How a delivery is signed; what is wrong with them is told as UNAUTHORIZED before these are looked at. */
export const signatureHeaders = z.object({
  'x-webhook-id': z.string().optional(),
  'x-webhook-signature': z
    .string()
    .optional()
    .openapi({ example: `sha256=${'0a'.repeat(32)}` }),
  'x-webhook-timestamp': z.string().optional().openapi({ example: '1700000000' }),
});
