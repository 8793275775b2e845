import { z } from '@hono/zod-openapi';
import { isUlid } from '../../task/ids.ts';

/** What every failure looks like. */
export const errorEnvelopeSchema = z
  .object({ error: z.object({ code: z.string(), message: z.string(), request_id: z.string() }) })
  .openapi('Error');
export type ErrorEnvelope = z.infer<typeof errorEnvelopeSchema>;

export const dataOf = <T extends z.ZodType>(schema: T) => z.object({ data: schema });

export const pageOf = <T extends z.ZodType>(schema: T) =>
  z.object({
    data: z.array(schema),
    pagination: z.object({ next_token: z.string().nullable(), has_more: z.boolean() }),
  });

const CONTROL = /(?![\t\n\r])\p{Cc}/u;
const LINE_END = /[\t\n\r\u2028\u2029]/;

/** Text that every store and terminal can hold: no lone surrogates, no control characters but line ends and tabs. */
export const text = (max: number) =>
  z
    .string()
    .max(max, `must have at most ${max.toLocaleString('en')} characters`)
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode')
    .refine((value) => !CONTROL.test(value), 'must not contain control characters');

/** Such text that says something. */
export const filledText = (max: number) =>
  text(max).refine((value) => value.trim() !== '', 'must not be empty');

/** One line of such text, not empty. */
export const line = (max: number) =>
  filledText(max).refine((value) => !LINE_END.test(value), 'must be a single line');

/** An object that names the fields it allows when it meets another. */
export const strict = <T extends z.core.$ZodLooseShape>(shape: T) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `no such field: ${(issue.keys as string[]).join(', ')}; allowed: ${Object.keys(shape).join(', ')}`
        : undefined,
  });

export const ulidSchema = z
  .string()
  .refine(isUlid, 'must be a ULID: 26 characters of 0-9 and A-Z without I, L, O, U')
  .openapi({ example: '01ARZ3NDEKTSV4RRFFQ69G5FAV', pattern: '^[0-7][0-9A-HJKMNP-TV-Z]{25}$' });

export const taskParams = z.object({ task_id: ulidSchema });

/** `limit` and `next_token` of a list. */
export const pageQuery = (defaultLimit: number) =>
  z.object({
    limit: z
      .string()
      .regex(/^[0-9]{1,3}$/, 'must be a whole number from 1 to 100')
      .transform(Number)
      .refine((value) => value >= 1 && value <= 100, 'must be a whole number from 1 to 100')
      .optional()
      .transform((value) => value ?? defaultLimit)
      .openapi({ type: 'integer', minimum: 1, maximum: 100, default: defaultLimit }),
    next_token: z.string().min(1).max(1_000).optional(),
  });

export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters without spaces')
    .optional(),
});
