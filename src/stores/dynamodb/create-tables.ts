import {
  CreateTableCommand,
  type DynamoDBClient,
  ResourceInUseException,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { TABLES, type TableDefinition, type TableNames, TTL_ATTRIBUTE } from './tables.ts';

/** How long a new table may take, in seconds. */
const WAIT_S = 300;

/** Makes the tables that aren't there, for a laptop or a test; a deployment's are part of its stack. Safe to repeat. */
export async function createTables(client: DynamoDBClient, names: TableNames): Promise<void> {
  for (const [key, definition] of Object.entries(TABLES) as [keyof TableNames, TableDefinition][])
    await createTable(client, names[key], definition);
}

async function createTable(
  client: DynamoDBClient,
  TableName: string,
  definition: TableDefinition,
): Promise<void> {
  try {
    await client.send(new CreateTableCommand({ TableName, ...shapeOf(definition) }));
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
    return;
  }
  await waitUntilTableExists({ client, maxWaitTime: WAIT_S, minDelay: 1, maxDelay: 5 }, { TableName });
  await client.send(
    new UpdateTimeToLiveCommand({
      TableName,
      TimeToLiveSpecification: { AttributeName: TTL_ATTRIBUTE, Enabled: true },
    }),
  );
}

function shapeOf({ partition, sort, indexes = [], stream }: TableDefinition) {
  const keys = (hash: string, range?: string) => [
    { AttributeName: hash, KeyType: 'HASH' as const },
    ...(range === undefined ? [] : [{ AttributeName: range, KeyType: 'RANGE' as const }]),
  ];
  const attributes = new Set([partition, sort, ...indexes.flatMap((index) => [index.partition, index.sort])]);
  return {
    BillingMode: 'PAY_PER_REQUEST' as const,
    KeySchema: keys(partition, sort),
    AttributeDefinitions: [...attributes]
      .filter((name) => name !== undefined)
      .map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
    ...(indexes.length > 0 && {
      GlobalSecondaryIndexes: indexes.map((index) => ({
        IndexName: index.name,
        KeySchema: keys(index.partition, index.sort),
        Projection: { ProjectionType: 'KEYS_ONLY' as const },
      })),
    }),
    ...(stream && { StreamSpecification: { StreamEnabled: true, StreamViewType: stream } }),
  };
}
