import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { z } from 'zod';
import { BgAgentError } from '../../task/errors.ts';

export type Item = Record<string, AttributeValue>;

/** Greatest and least number that DynamoDB holds exactly enough. */
const MAX_NUMBER = 9.9e125;
const MIN_NUMBER = 1e-130;

/**
 * A value as an attribute. Texts, numbers, booleans and null are what they are, so that conditions and people can read them; all
 * else, and what DynamoDB can't hold plainly (an empty or ill-formed text), is a map with the one entry `json`. A field is
 * replaced whole, so nothing needs to reach into one.
 */
function toValue(value: unknown): AttributeValue {
  if (value === null) return { NULL: true };
  if (typeof value === 'boolean') return { BOOL: value };
  if (typeof value === 'string' && value !== '' && value.isWellFormed()) return { S: value };
  if (typeof value === 'number' && isPlain(value)) return { N: String(value) };
  return { M: { json: { S: JSON.stringify(value) } } };
}

const isPlain = (value: number): boolean =>
  Number.isFinite(value) &&
  (value === 0 || (Math.abs(value) >= MIN_NUMBER && Math.abs(value) <= MAX_NUMBER && !Object.is(value, -0)));

/** The value in an attribute; a set of texts is an array. */
function fromValue(attribute: AttributeValue): unknown {
  if (attribute.NULL) return null;
  if (attribute.BOOL !== undefined) return attribute.BOOL;
  if (attribute.S !== undefined) return attribute.S;
  if (attribute.N !== undefined) return Number(attribute.N);
  if (attribute.SS !== undefined) return attribute.SS;
  const json = attribute.M?.json?.S;
  return json === undefined ? undefined : JSON.parse(json);
}

/** The fields of a record as attributes; those that are undefined are left out. */
export const toItem = (record: object): Item =>
  Object.fromEntries(
    Object.entries(record)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, toValue(value)]),
  );

/** The record in an item. Throws INTERNAL_ERROR when it is not what this program writes. */
export function fromItem<T>(schema: z.ZodType<T>, item: Item): T {
  const fields = Object.fromEntries(Object.entries(item).map(([name, value]) => [name, fromValue(value)]));
  const parsed = schema.safeParse(fields);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new BgAgentError(
    'INTERNAL_ERROR',
    `a stored record is damaged: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
    { cause: parsed.error },
  );
}

export const text = (value: string): AttributeValue => ({ S: value });
export const number = (value: number): AttributeValue => ({ N: String(value) });
export const texts = (...values: string[]): AttributeValue => ({ SS: values });

/** The text of an attribute; undefined when there is none. */
export const textOf = (item: Item | undefined, name: string): string | undefined => item?.[name]?.S;
export const numberOf = (item: Item | undefined, name: string): number | undefined => {
  const value = item?.[name]?.N;
  return value === undefined ? undefined : Number(value);
};
/** Absent is empty: DynamoDB holds no empty set. */
export const textsOf = (item: Item | undefined, name: string): string[] => item?.[name]?.SS ?? [];
