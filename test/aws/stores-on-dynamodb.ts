import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { createTables } from '../../src/stores/dynamodb/create-tables.ts';
import { userKey } from '../../src/stores/dynamodb/places.ts';
import { createDynamoStores } from '../../src/stores/dynamodb/stores.ts';
import { tableNames } from '../../src/stores/dynamodb/tables.ts';
import { texts } from '../../src/stores/dynamodb/values.ts';
import type { Skip } from '../contracts/skips.ts';
import { createClock, type StoresHarness, storesContract } from '../contracts/stores.contract.ts';
import { clientConfig, describeOn, type Emulator, uniqueName } from './harness.ts';

const skip: Skip[] = [
  {
    reason:
      'events in DynamoDB have an order within their task only; the feed is the stream of the events table',
    tests: ['feeds all tasks’ events in order, and a cursor misses none while many write'],
  },
];

/** The suite of all stores, on an emulator of DynamoDB. */
export function storesOnDynamoDb(emulator: Emulator): void {
  describeOn(emulator, 'stores in DynamoDB', () =>
    storesContract({
      name: 'dynamodb',
      skip,
      create: async (): Promise<StoresHarness> => {
        const client = new DynamoDBClient(clientConfig(emulator));
        const names = tableNames(uniqueName('stores'));
        await createTables(client, names);
        const clock = createClock();
        // DynamoDB Local is of the time when a transaction had ten items at most.
        const open = () =>
          createDynamoStores({
            client,
            tableNames: names,
            now: clock.now,
            maxTransactionItems: 10,
            // Nobody else writes here, and the suite counts how often readers are told.
            watchMs: 3_600_000,
          });
        const harness: StoresHarness = {
          stores: open(),
          clock,
          async reopen() {
            harness.stores = open();
            return harness.stores;
          },
          async plantSlot(userId, taskId) {
            await client.send(
              new UpdateItemCommand({
                TableName: names.state,
                Key: userKey(userId),
                UpdateExpression: 'ADD held :ids',
                ExpressionAttributeValues: { ':ids': texts(taskId) },
              }),
            );
          },
          async close() {
            client.destroy();
          },
        };
        return harness;
      },
    }),
  );
}
