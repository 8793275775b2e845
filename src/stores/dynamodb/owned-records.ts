import type { z } from 'zod';
import type { BgAgentError } from '../../task/errors.ts';
import type { Page } from '../../task/page.ts';
import { pagePosition, pageToken, toPage } from '../page-token.ts';
import { type Dynamo, succeeds } from './dynamo.ts';
import { createExpression } from './expression.ts';
import { stateKey } from './parts.ts';
import { fromItem, text, textOf, toItem } from './values.ts';

/** `last_used_at` is written again when it is this old. */
const TOUCH_MS = 60_000;

/** What API keys and webhooks have in common. */
interface Owned {
  user_id: string;
  last_used_at: string | null;
  revoked_at: string | null;
}

export interface OwnedRecords<T extends Owned> {
  create(record: T): Promise<void>;
  get(id: string): Promise<T | undefined>;
  list(query: {
    userId?: string | undefined;
    limit: number;
    nextToken?: string | undefined;
  }): Promise<Page<T>>;
  revoke(id: string, at: string): Promise<boolean>;
  touch(id: string, at: string): Promise<void>;
  remove(record: T): Promise<void>;
}

/**
 * Records that belong to a user: each in a partition of its own, for it is read at every request, and an entry in two lists that
 * is written with it, so that a list shows at once what was made.
 */
export function createOwnedRecords<T extends Owned>({
  dynamo,
  kind,
  schema,
  idOf,
  notFound,
}: {
  dynamo: Dynamo;
  /** Names partitions and page tokens: `api-keys`. */
  kind: string;
  schema: z.ZodType<T>;
  idOf(record: T): string;
  notFound(id: string): BgAgentError;
}): OwnedRecords<T> {
  const recordKey = (id: string) => stateKey(`${kind}/${id}`);
  const listOf = (userId: string | undefined): string => (userId === undefined ? kind : `${kind}#${userId}`);

  async function get(id: string): Promise<T | undefined> {
    const item = await dynamo.get('state', recordKey(id));
    return item && fromItem(schema, item);
  }

  return {
    async create(record) {
      const id = idOf(record);
      const TableName = dynamo.names.state;
      await dynamo.transact([
        {
          Put: {
            TableName,
            Item: { ...recordKey(id), ...toItem(record) },
            ConditionExpression: 'attribute_not_exists(pk)',
          },
        },
        { Put: { TableName, Item: stateKey(listOf(undefined), id) } },
        { Put: { TableName, Item: stateKey(listOf(record.user_id), id) } },
      ]);
    },

    get,

    async list({ userId, limit, nextToken }) {
      const entries = await dynamo.query({
        table: 'state',
        partition: listOf(userId),
        range: { after: pagePosition(kind, nextToken, '') },
        limit: limit + 1,
      });
      const ids = entries.map((item) => textOf(item, 'sk') ?? '');
      const items = await dynamo.getMany('state', ids.map(recordKey));
      const records = items.map((item) => fromItem(schema, item));
      records.sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
      return toPage(records, limit, (last) => pageToken(kind, idOf(last)));
    },

    async revoke(id, at) {
      if (await writeField(id, 'revoked_at', at, 'only when unset')) return true;
      if (!(await get(id))) throw notFound(id);
      return false;
    },

    async touch(id, at) {
      const record = await get(id);
      const last = record?.last_used_at;
      if (!record || (last && Date.parse(at) - Date.parse(last) < TOUCH_MS)) return;
      await writeField(id, 'last_used_at', at, 'always');
    },

    async remove(record) {
      const id = idOf(record);
      const lists = [undefined, record.user_id].map((userId) => stateKey(listOf(userId), id));
      await dynamo.removeMany('state', [recordKey(id), ...lists]);
    },
  };

  /** Whether it was written: the record is there, and the field was empty if it had to be. */
  async function writeField(
    id: string,
    field: 'last_used_at' | 'revoked_at',
    at: string,
    when: 'always' | 'only when unset',
  ): Promise<boolean> {
    const { name, value, parts } = createExpression();
    const UpdateExpression = `SET ${name(field)} = ${value(text(at))}`;
    const unset = when === 'always' ? '' : ` AND attribute_type(${name(field)}, ${value(text('NULL'))})`;
    const ConditionExpression = `attribute_exists(pk)${unset}`;
    const change = { UpdateExpression, ConditionExpression, ...parts() };
    return succeeds(dynamo.update('state', recordKey(id), change));
  }
}
