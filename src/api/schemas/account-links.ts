import { z } from '@hono/zod-openapi';
import { strict } from './envelope.ts';

export const createLinkCodeSchema = strict({
  /** Where the account is. */
  provider: z.enum(['slack', 'github'], { error: 'must be slack or github' }),
}).openapi('CreateLinkCodeRequest');

export const createdLinkCodeSchema = z
  .object({ provider: z.string(), code: z.string(), expires_at: z.string() })
  .openapi('CreatedLinkCode');
export type CreatedLinkCode = z.infer<typeof createdLinkCodeSchema>;
