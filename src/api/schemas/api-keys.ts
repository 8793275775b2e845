import { z } from '@hono/zod-openapi';
import { API_KEY_SCOPES } from '../../task/scopes.ts';
import { line, strict, ulidSchema } from './envelope.ts';

const scopes = z.array(z.enum(API_KEY_SCOPES));

export const createApiKeySchema = strict({
  name: line(100),
  scopes: scopes.min(1).max(API_KEY_SCOPES.length),
  /** When it ends by itself, ISO 8601; null = never. */
  expires_at: z.iso.datetime({ offset: true, error: 'must be a time like 2030-12-31T00:00:00Z' }).nullish(),
  /** The same in days from now; only one of the two. */
  expires_in_days: z.number().int().min(1).max(3_650).nullish(),
  /** Whose key it is; the caller's own by default. */
  user_id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}$/, 'must be 1 to 128 letters, digits and _ . @ + -')
    .nullish(),
}).openapi('CreateApiKeyRequest');
export type CreateApiKeyRequest = z.input<typeof createApiKeySchema>;

export const apiKeyDetailSchema = z
  .object({
    key_id: z.string(),
    user_id: z.string(),
    name: z.string(),
    scopes,
    created_at: z.string(),
    expires_at: z.string().nullable(),
    last_used_at: z.string().nullable(),
    revoked_at: z.string().nullable(),
  })
  .openapi('ApiKey');
export type ApiKeyDetail = z.infer<typeof apiKeyDetailSchema>;

export const createdApiKeySchema = apiKeyDetailSchema
  .extend({ key: z.string().describe('Shown this once.') })
  .openapi('CreatedApiKey');
export type CreatedApiKey = z.infer<typeof createdApiKeySchema>;

export const apiKeyParams = z.object({ key_id: ulidSchema });
