import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { clientConfig, describeOn, dynamoDbLocal, moto, uniqueName } from '../../../test/aws/harness.ts';
import { instanceStoreContract } from '../../../test/contracts/instance-store.contract.ts';
import { createClock } from '../../../test/contracts/stores.contract.ts';
import { createTables } from './create-tables.ts';
import { createDynamoInstanceStore } from './instances.ts';
import { tableNames } from './tables.ts';

for (const emulator of [moto, dynamoDbLocal])
  describeOn(emulator, 'instances in DynamoDB', () =>
    instanceStoreContract({
      name: 'dynamodb',
      async create() {
        const client = new DynamoDBClient(clientConfig(emulator));
        const names = tableNames(uniqueName('fleet'));
        await createTables(client, names);
        const clock = createClock();
        const instances = createDynamoInstanceStore({ client, tableNames: names, now: clock.now });
        return { instances, clock, close: async () => client.destroy() };
      },
    }),
  );
