import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { clientConfig, describeOn, dynamoDbLocal, moto, uniqueName } from './harness.ts';

for (const emulator of [moto, dynamoDbLocal])
  describeOn(emulator, 'the emulator', () => {
    it('writes a transaction whole or not at all', async () => {
      const client = new DynamoDBClient(clientConfig(emulator));
      const TableName = uniqueName('harness');
      await client.send(
        new CreateTableCommand({
          TableName,
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
          KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        }),
      );
      const put = (id: string, ConditionExpression?: string) => ({
        Put: { TableName, Item: { id: { S: id } }, ...(ConditionExpression && { ConditionExpression }) },
      });
      const write = (...TransactItems: ReturnType<typeof put>[]) =>
        client.send(new TransactWriteItemsCommand({ TransactItems }));
      const has = async (id: string): Promise<boolean> =>
        (await client.send(new GetItemCommand({ TableName, Key: { id: { S: id } }, ConsistentRead: true })))
          .Item !== undefined;
      await write(put('a'));
      await expect(write(put('b'), put('a', 'attribute_not_exists(id)'))).rejects.toMatchObject({
        name: 'TransactionCanceledException',
      });
      expect([await has('a'), await has('b')]).toEqual([true, false]);
      client.destroy();
    });
  });
