import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { expect, it } from 'vitest';
import { createFanoutHandlers, createSqsRetryQueue } from '../../src/entry/fanout-handlers.ts';
import { createTables } from '../../src/stores/dynamodb/create-tables.ts';
import { createDynamoStores } from '../../src/stores/dynamodb/stores.ts';
import { tableNames } from '../../src/stores/dynamodb/tables.ts';
import { newTaskId } from '../contracts/stores.contract.ts';
import { createRecordingChannel } from '../fakes/channel.ts';
import { aCreation, aMilestone, endOf } from '../fixtures/events.ts';
import { aTask } from '../fixtures/task.ts';
import { clientConfig, describeOn, dynamoDbLocal, moto, uniqueName } from './harness.ts';
import { readStream } from './streams.ts';

const invocation = { getRemainingTimeInMillis: () => 600_000 };

/** A task's whole life in DynamoDB Local, its stream, and the queue in moto. */
async function aRoom() {
  const client = new DynamoDBClient(clientConfig(dynamoDbLocal));
  const names = tableNames(uniqueName('fanout'));
  await createTables(client, names);
  const stores = createDynamoStores({ client, tableNames: names, now: Date.now, maxTransactionItems: 10 });
  const sqs = new SQSClient(clientConfig(moto));
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: uniqueName('retries') }));
  const logged: Record<string, unknown>[] = [];
  const note = (fields: Record<string, unknown>): void => void logged.push(fields);

  const task = aTask({ task_id: newTaskId(), repo: 'octo/hello' });
  await stores.tasks.create(task, [aCreation]);
  await stores.tasks.update(task.task_id, { patch: {} }, [
    aMilestone('reading'),
    { type: 'session_started', metadata: { session_id: 's', compute_type: 'local', attempt: 1 } },
  ]);
  await stores.tasks.transition(task.task_id, { from: 'SUBMITTED', to: 'FAILED' }, endOf('FAILED'));
  const records = await readStream(client, dynamoDbLocal.endpoint ?? '', names.events);

  const [good, bad] = [createRecordingChannel({ name: 'good' }), createRecordingChannel({ name: 'bad' })];
  const options = {
    stores,
    channels: [good, bad],
    leaseMs: 60_000,
    now: Date.now,
    random: () => 0,
    maxFailures: 5,
    backoff: { baseMs: 2, capMs: 20 },
    log: { debug: note, info: note, warn: note, error: note },
    queue: createSqsRetryQueue(sqs, QueueUrl ?? ''),
  };
  return {
    stores,
    options,
    logged,
    records,
    good,
    bad,
    /** Hands over what the queue has, as Lambda would: what isn't named in the answer is deleted. */
    async pump(handlers: ReturnType<typeof createFanoutHandlers>) {
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
      const Records = Messages.map(({ MessageId, Body }) => ({ messageId: MessageId, body: Body }));
      const { batchItemFailures } = await handlers.retries({ Records }, invocation);
      for (const { MessageId, ReceiptHandle } of Messages)
        if (!batchItemFailures.some(({ itemIdentifier }) => itemIdentifier === MessageId))
          await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
      return Messages.length;
    },
    close() {
      client.destroy();
      sqs.destroy();
    },
  };
}

const LIFE = ['task_created', 'session_started', 'task_failed'];
const typesOf = ({ sent }: { sent: { type: string }[] }): string[] => sent.map(({ type }) => type);

// It needs both.
const emulator = moto.endpoint === undefined ? moto : dynamoDbLocal;
describeOn(emulator, 'the fan-out of the stream of the events table (F4)', () => {
  it('delivers a batch, holds nothing up for a channel that must wait, and does nothing twice', async () => {
    const { options, records, good, bad, pump, logged, close } = await aRoom();
    expect(records.map(({ eventName }) => eventName)).toEqual(['INSERT', 'INSERT', 'INSERT', 'INSERT']);
    const handlers = createFanoutHandlers(options);
    bad.faults.push('limit');
    expect(await handlers.stream({ Records: records }, invocation)).toEqual({ batchItemFailures: [] });
    expect([typesOf(good), typesOf(bad)]).toEqual([LIFE, []]);
    expect(logged.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['fanout.dispatcher.rejected', 'fanout.batch.complete']),
    );
    await expect
      .poll(
        async () => {
          await pump(handlers);
          return typesOf(bad);
        },
        { timeout: 120_000 },
      )
      .toEqual(LIFE);
    const calls = good.calls.length + bad.calls.length;
    await handlers.stream({ Records: records }, invocation);
    expect(good.calls.length + bad.calls.length).toBe(calls);
    close();
  });

  it('names the lowest record that the ledger could not take, and the replay from there misses none', async () => {
    const { stores, options, records, good, bad, close } = await aRoom();
    let appends = 0;
    const deliveries = {
      ...stores.deliveries,
      append: async (...args: Parameters<typeof stores.deliveries.append>) => {
        appends += 1;
        if (appends === 2) throw new Error('the table is throttled');
        return stores.deliveries.append(...args);
      },
    };
    const broken = createFanoutHandlers({ ...options, stores: { ...stores, deliveries } });
    const lowest = records[2]?.dynamodb.SequenceNumber;
    expect(await broken.stream({ Records: records }, invocation)).toEqual({
      batchItemFailures: [{ itemIdentifier: lowest }],
    });
    expect(typesOf(good)).toEqual(['task_created']);
    await createFanoutHandlers(options).stream({ Records: records.slice(2) }, invocation);
    expect([typesOf(good), typesOf(bad)]).toEqual([LIFE, LIFE]);
    close();
  });

  it('passes over what is no new event, and names a message that can’t be read', async () => {
    const { options, records, good, logged, close } = await aRoom();
    const handlers = createFanoutHandlers(options);
    const [first] = records;
    const odd = [
      { eventName: 'REMOVE', dynamodb: { SequenceNumber: '1' } },
      { eventName: 'MODIFY', dynamodb: { ...first?.dynamodb, SequenceNumber: '2' } },
      { eventName: 'INSERT', dynamodb: { SequenceNumber: '3', NewImage: { task_id: { S: 'x' } } } },
    ];
    expect(await handlers.stream({ Records: odd }, invocation)).toEqual({ batchItemFailures: [] });
    expect(good.sent).toEqual([]);
    const answer = await handlers.retries({ Records: [{ messageId: 'm', body: '{' }] }, invocation);
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'm' }] });
    expect(logged.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['fanout.record.damaged', 'fanout.retry.damaged']),
    );
    close();
  });
});
