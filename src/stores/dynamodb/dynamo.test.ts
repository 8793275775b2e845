import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  refusal,
  type ScriptedDynamoDb,
  startScriptedDynamoDb,
} from '../../../test/fakes/dynamodb-answers.ts';
import { ConditionFailed, createDynamo, type Dynamo } from './dynamo.ts';
import { createDynamoStores } from './stores.ts';
import { tableNames } from './tables.ts';

const NAMES = tableNames('octo');
const fine = { status: 200, body: {} };
const write = { Put: { TableName: NAMES.tasks, Item: { task_id: { S: 'a' } } } };
const cancelled = (...codes: string[]) =>
  refusal('TransactionCanceledException', { CancellationReasons: codes.map((Code) => ({ Code })) });

describe('DynamoDB as the stores use it', () => {
  let server: ScriptedDynamoDb;
  let client: DynamoDBClient;
  let dynamo: Dynamo;
  const pauses: number[] = [];
  beforeAll(async () => {
    server = await startScriptedDynamoDb();
    client = new DynamoDBClient({
      endpoint: server.url,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 2,
    });
    dynamo = createDynamo({
      client,
      tableNames: NAMES,
      random: () => 0.5,
      async sleep(ms) {
        pauses.push(ms);
      },
    });
  });
  afterAll(async () => {
    client.destroy();
    await server.close();
  });
  beforeEach(() => {
    pauses.length = 0;
  });
  const requestsOf = async (work: () => Promise<unknown>) => {
    const before = server.requests.length;
    await work();
    return server.requests.slice(before);
  };

  it('tries a transaction again, later and later, while others are in its way', async () => {
    server.script(cancelled('None', 'TransactionConflict'), cancelled('TransactionConflict'), fine);
    expect(await requestsOf(() => dynamo.transact([write, write]))).toHaveLength(3);
    expect(pauses).toHaveLength(2);
    expect(pauses[1]).toBeGreaterThan(pauses[0] ?? 0);
  });

  it('says which condition did not hold, and tries no more', async () => {
    server.script(cancelled('None', 'ConditionalCheckFailed'));
    const requests = await requestsOf(() =>
      expect(dynamo.transact([write, write])).rejects.toMatchObject({ index: 1 }),
    );
    expect(requests).toHaveLength(1);
    server.script(cancelled('TransactionConflict', 'ConditionalCheckFailed'));
    await expect(dynamo.transact([write, write])).rejects.toBeInstanceOf(ConditionFailed);
  });

  it('gives up when it is throttled for long, and says so', async () => {
    server.script(cancelled('ThrottlingError'));
    await expect(dynamo.transact([write])).rejects.toMatchObject({ code: 'AWS_THROTTLED', retryable: true });
    server.script(cancelled('ValidationError'));
    await expect(dynamo.transact([write])).rejects.toMatchObject({ code: 'AWS_REFUSED' });
  });

  it('sends a transaction whose answer was lost again as the same one', async () => {
    server.script('lost', fine);
    const requests = await requestsOf(() => dynamo.transact([write]));
    expect(requests).toHaveLength(2);
    const tokens = requests.map(({ body }) => body.ClientRequestToken);
    expect(tokens[0]).toEqual(expect.any(String));
    expect(tokens[1]).toBe(tokens[0]);
  });

  it('asks again for what a batch did not bring', async () => {
    const key = { task_id: { S: 'a' } };
    server.script(
      { status: 200, body: { UnprocessedKeys: { [NAMES.tasks]: { Keys: [key] } } } },
      { status: 200, body: { Responses: { [NAMES.tasks]: [key] } } },
    );
    expect(await dynamo.getMany('tasks', [key])).toEqual([key]);
    server.script(
      { status: 200, body: { UnprocessedItems: { [NAMES.tasks]: [{ DeleteRequest: { Key: key } }] } } },
      fine,
    );
    expect(await requestsOf(() => dynamo.removeMany('tasks', [key]))).toHaveLength(2);
  });

  it.each([
    [
      'ResourceNotFoundException',
      'AWS_RESOURCE_MISSING',
      /no table octo-leases in eu-central-1.*tableNames\.leases/,
    ],
    ['AccessDeniedException', 'AWS_ACCESS_DENIED', /dynamodb:UpdateItem on table octo-leases/],
    ['ExpiredTokenException', 'AWS_CREDENTIALS_REFUSED', /expired/],
    ['ProvisionedThroughputExceededException', 'AWS_THROTTLED', /slows down/],
  ])('names what mends %s', async (name, code, message) => {
    server.script(refusal(name));
    const { leases } = createDynamoStores({ client, tableNames: NAMES, now: () => 0 });
    await expect(leases.acquire('i-1', { owner: 'a', epoch: 1, ttlMs: 1 })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});
