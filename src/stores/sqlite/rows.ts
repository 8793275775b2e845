import type { z } from 'zod';
import type { Row } from '../../sqlite/database.ts';
import { BgAgentError } from '../../task/errors.ts';

/** The record in a row's `doc`. Throws INTERNAL_ERROR when it is not what this program writes. */
export function recordOf<T>(schema: z.ZodType<T>, row: Row): T {
  const parsed = schema.safeParse(JSON.parse(String(row.doc)));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new BgAgentError(
    'INTERNAL_ERROR',
    `a stored record is damaged: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
    { cause: parsed.error },
  );
}

/** The SQL that sets fields of `doc`, with its parameters: no read before the write, so nothing is lost between. */
export function setFields(fields: Record<string, unknown>): { sql: string; params: string[] } {
  const set = Object.entries(fields).filter(([, value]) => value !== undefined);
  return {
    sql: `json_set(doc${', ?, json(?)'.repeat(set.length)})`,
    params: set.flatMap(([name, value]) => [`$.${name}`, JSON.stringify(value)]),
  };
}

/** `?, ?, ?`: a place for each value. */
export const places = (values: readonly unknown[]): string => values.map(() => '?').join(', ');
