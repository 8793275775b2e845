import type { QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { createExpression, type Expression } from './expression.ts';
import { TABLES, type TableDefinition, type TableKey } from './tables.ts';
import { text } from './values.ts';

/** Items of one partition, by their sort key. There is no other way to read many: nothing is ever scanned. */
export interface Query {
  table: TableKey;
  index?: string;
  partition: string;
  /** Of the sort key; none = all. */
  range?: { after: string } | { before: string } | { prefix: string } | { equal: string };
  descending?: boolean;
  /** Items at most; none = all. */
  limit?: number;
}

/** Strongly consistent, unless it's an index: DynamoDB has no such read of one. */
export function toQuery({
  table,
  index,
  partition,
  range,
  descending = false,
}: Query): Partial<QueryCommandInput> {
  const definition: TableDefinition = TABLES[table];
  const keys = index === undefined ? definition : definition.indexes?.find(({ name }) => name === index);
  if (!keys) throw new RangeError(`table ${table} has no index ${index}`);
  const expression = createExpression();
  const conditions = [`${expression.name(keys.partition)} = ${expression.value(text(partition))}`];
  if (range) conditions.push(...rangeCondition(range, keys.sort ?? '', expression));
  return {
    ...(index !== undefined && { IndexName: index }),
    ...(index === undefined && { ConsistentRead: true }),
    KeyConditionExpression: conditions.join(' AND '),
    ...expression.parts(),
    ScanIndexForward: !descending,
  };
}

/** DynamoDB takes one condition on the sort key. An empty text is no key: everything comes after it, and begins with it. */
function rangeCondition(
  range: NonNullable<Query['range']>,
  sort: string,
  { name, value }: Expression,
): string[] {
  if ('equal' in range) return [`${name(sort)} = ${value(text(range.equal))}`];
  if ('before' in range) return [`${name(sort)} < ${value(text(range.before))}`];
  if ('after' in range) return range.after === '' ? [] : [`${name(sort)} > ${value(text(range.after))}`];
  return range.prefix === '' ? [] : [`begins_with(${name(sort)}, ${value(text(range.prefix))})`];
}
