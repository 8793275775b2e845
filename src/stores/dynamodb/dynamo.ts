import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DeleteItemCommandInput,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandInput,
  QueryCommand,
  type QueryCommandInput,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { awsErrorName, awsFailure } from '../../aws/failure.ts';
import { BgAgentError } from '../../task/errors.ts';
import { type Query, toQuery } from './query.ts';
import { TABLES, type TableDefinition, type TableKey, type TableNames } from './tables.ts';
import type { Item } from './values.ts';

/** A condition did not hold, so nothing was written. */
export class ConditionFailed extends Error {
  /** Which part of the transaction; 0 of a single write. */
  readonly index: number;
  /** The item as it was, where the emulator or the service says so. */
  readonly item: Item | undefined;
  constructor(index: number, item: Item | undefined) {
    super(`condition ${index} of the write did not hold`);
    this.index = index;
    this.item = item;
  }
}

export interface DynamoOptions {
  client: DynamoDBClient;
  tableNames: TableNames;
  /** 0 ≤ n < 1. Default: Math.random. */
  random?: () => number;
  /** Milliseconds. Default: setTimeout. */
  sleep?: (ms: number) => Promise<void>;
  /** Writes in one transaction. Default: 100, what the service takes. */
  maxTransactionItems?: number;
}

type Of<T> = Omit<T, 'TableName' | 'Key'>;

/** Whether the condition of a write held. */
export async function succeeds(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof ConditionFailed) return false;
    throw error;
  }
}

/** DynamoDB as the stores use it: strongly consistent reads, conflicts tried again, errors of the catalogue. */
export interface Dynamo {
  names: TableNames;
  maxTransactionItems: number;
  random(): number;
  /** Waits a random while that grows with the number of tries. */
  pause(tries: number): Promise<void>;
  get(table: TableKey, key: Item): Promise<Item | undefined>;
  /** In no order, without those that aren't there. */
  getMany(table: TableKey, keys: readonly Item[]): Promise<Item[]>;
  query(query: Query): Promise<Item[]>;
  count(query: Query): Promise<number>;
  /** Throws ConditionFailed, as all writes do. */
  put(table: TableKey, input: Of<PutItemCommandInput>): Promise<void>;
  /** The item afterwards. */
  update(table: TableKey, key: Item, input: Of<UpdateItemCommandInput>): Promise<Item>;
  /** The item before. */
  remove(table: TableKey, key: Item, input?: Of<DeleteItemCommandInput>): Promise<Item | undefined>;
  removeMany(table: TableKey, keys: readonly Item[]): Promise<void>;
  transact(writes: TransactWriteItem[]): Promise<void>;
}

const TRIES = 12;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;
/** Of the service. */
const READ_BATCH = 100;
const WRITE_BATCH = 25;
/** Why a part of a transaction may fail though nothing is wrong with it. */
const PASSING = ['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'];

export function createDynamo({
  client,
  tableNames: names,
  random = Math.random,
  sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  maxTransactionItems = 100,
}: DynamoOptions): Dynamo {
  const pause = (tries: number): Promise<void> =>
    sleep(random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries));

  /** One call, with the words for its failure. Another transaction on the same item is waited for. */
  async function call<T>(action: string, table: TableKey, send: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await send();
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) throw new ConditionFailed(0, error.Item);
        const passing = awsErrorName(error) === 'TransactionConflictException' || isPassing(error);
        if (!passing || tries === TRIES) throw await failure(error, action, table);
        await pause(tries);
      }
    }
  }

  async function failure(error: unknown, action: string, table: TableKey): Promise<Error> {
    if (error instanceof TransactionCanceledException) {
      const reasons = error.CancellationReasons ?? [];
      const index = reasons.findIndex(({ Code }) => Code === 'ConditionalCheckFailed');
      if (index >= 0) return new ConditionFailed(index, reasons[index]?.Item);
      const other = reasons.find(({ Code }) => Code !== undefined && Code !== 'None');
      const code = PASSING.includes(other?.Code ?? '') ? 'AWS_THROTTLED' : 'AWS_REFUSED';
      const said = `${other?.Code ?? 'no reason'}: ${other?.Message ?? ''}`;
      return new BgAgentError(code, `a transaction on ${names[table]} was cancelled (${said})`, {
        cause: error,
      });
    }
    return awsFailure(error, {
      action: `dynamodb:${action}`,
      resource: `table ${names[table]}`,
      setting: `tableNames.${table}`,
      region: await client.config.region().catch(() => undefined),
    });
  }

  async function pages(
    query: Query,
    selected: Pick<QueryCommandInput, 'Select'>,
    take: (page: { Items?: Item[] | undefined; Count?: number | undefined }) => number,
  ): Promise<void> {
    const input = { TableName: names[query.table], ...toQuery(query), ...selected };
    let left = query.limit ?? Number.POSITIVE_INFINITY;
    let start: Item | undefined;
    while (left > 0) {
      const page = await call('Query', query.table, () =>
        client.send(
          new QueryCommand({
            ...input,
            ...(Number.isFinite(left) && { Limit: left }),
            ...(start && { ExclusiveStartKey: start }),
          }),
        ),
      );
      left -= take(page);
      start = page.LastEvaluatedKey;
      if (!start) return;
    }
  }

  return {
    names,
    maxTransactionItems,
    random,
    pause,

    async get(table, Key) {
      if (!isKey(Key)) return undefined;
      const input = { TableName: names[table], Key, ConsistentRead: true };
      return (await call('GetItem', table, () => client.send(new GetItemCommand(input)))).Item;
    },

    async getMany(table, keys) {
      const found: Item[] = [];
      let wanted = distinct(keys);
      for (let tries = 1; wanted.length > 0; tries += 1) {
        const batch = wanted.slice(0, READ_BATCH);
        const RequestItems = { [names[table]]: { Keys: batch, ConsistentRead: true } };
        const answer = await call('BatchGetItem', table, () =>
          client.send(new BatchGetItemCommand({ RequestItems })),
        );
        found.push(...(answer.Responses?.[names[table]] ?? []));
        const refused = answer.UnprocessedKeys?.[names[table]]?.Keys ?? [];
        if (refused.length > 0) await pause(tries);
        wanted = [...refused, ...wanted.slice(READ_BATCH)];
      }
      return found;
    },

    async query(query) {
      const items: Item[] = [];
      if (!isKey({ partition: { S: query.partition } })) return items;
      await pages(query, {}, ({ Items = [] }) => {
        items.push(...Items);
        return Items.length;
      });
      return items;
    },

    async count(query) {
      let count = 0;
      await pages(query, { Select: 'COUNT' }, ({ Count = 0 }) => {
        count += Count;
        return Count;
      });
      return count;
    },

    async put(table, input) {
      const { partition, sort }: TableDefinition = TABLES[table];
      const key = Object.entries(input.Item ?? {}).filter(([name]) => name === partition || name === sort);
      if (!isKey(Object.fromEntries(key)))
        throw new BgAgentError(
          'VALIDATION_ERROR',
          `a name is empty or too long to be a key: at most ${SORT_BYTES} bytes`,
        );
      await call('PutItem', table, () =>
        client.send(new PutItemCommand({ TableName: names[table], ...input })),
      );
    },

    async update(table, Key, input) {
      const answer = await call('UpdateItem', table, () =>
        client.send(
          new UpdateItemCommand({
            TableName: names[table],
            Key,
            ...WITH_ITEM,
            ReturnValues: 'ALL_NEW',
            ...input,
          }),
        ),
      );
      return answer.Attributes ?? {};
    },

    async remove(table, Key, input) {
      const answer = await call('DeleteItem', table, () =>
        client.send(
          new DeleteItemCommand({
            TableName: names[table],
            Key,
            ...WITH_ITEM,
            ReturnValues: 'ALL_OLD',
            ...input,
          }),
        ),
      );
      return answer.Attributes;
    },

    async removeMany(table, keys) {
      let left = distinct(keys).map((Key) => ({ DeleteRequest: { Key } }));
      for (let tries = 1; left.length > 0; tries += 1) {
        const RequestItems = { [names[table]]: left.slice(0, WRITE_BATCH) };
        const answer = await call('BatchWriteItem', table, () =>
          client.send(new BatchWriteItemCommand({ RequestItems })),
        );
        const refused = (answer.UnprocessedItems?.[names[table]] ?? []).flatMap(({ DeleteRequest }) =>
          DeleteRequest?.Key ? [{ DeleteRequest: { Key: DeleteRequest.Key } }] : [],
        );
        if (refused.length > 0) await pause(tries);
        left = [...refused, ...left.slice(WRITE_BATCH)];
      }
    },

    async transact(TransactItems) {
      const [first] = TransactItems;
      const named = Object.values(first ?? {})[0]?.TableName;
      const table = (Object.keys(TABLES) as TableKey[]).find((key) => names[key] === named) ?? 'state';
      await call('TransactWriteItems', table, () =>
        client.send(new TransactWriteItemsCommand({ TransactItems })),
      );
    },
  };
}

/** Of the service; a partition key may have twice as many. */
const SORT_BYTES = 1_024;

/** Whether something can have this key: DynamoDB refuses to look for what is empty or too long. */
const isKey = (key: Item): boolean =>
  Object.entries(key).every(([name, { S = '' }]) => {
    const most = name === 'sk' || name === 'event_id' ? SORT_BYTES : 2 * SORT_BYTES;
    return S !== '' && Buffer.byteLength(S) <= most;
  });

/** A batch must not name an item twice. */
const distinct = (keys: readonly Item[]): Item[] => [
  ...new Map(keys.map((key) => [JSON.stringify(key), key])).values(),
];

const WITH_ITEM = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const;

/** Nothing but conflicts and throttling stood in the transaction's way. */
const isPassing = (error: unknown): boolean =>
  error instanceof TransactionCanceledException &&
  (error.CancellationReasons ?? []).every(({ Code = 'None' }) => Code === 'None' || PASSING.includes(Code));
