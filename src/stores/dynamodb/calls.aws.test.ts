import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { clientConfig, describeOn, dynamoDbLocal, uniqueName } from '../../../test/aws/harness.ts';
import { newTaskId } from '../../../test/contracts/stores.contract.ts';
import { aCreation, aMilestone, endOf } from '../../../test/fixtures/events.ts';
import { anOutcome } from '../../../test/fixtures/outcome.ts';
import { aRepo } from '../../../test/fixtures/repo.ts';
import { aTask } from '../../../test/fixtures/task.ts';
import { createTables } from './create-tables.ts';
import { createDynamoStores } from './stores.ts';
import { tableNames } from './tables.ts';

describeOn(dynamoDbLocal, 'calls of the stores in DynamoDB', () => {
  it('are few for what happens often, and never read a table from end to end', async () => {
    const client = new DynamoDBClient(clientConfig(dynamoDbLocal));
    const names = tableNames(uniqueName('calls'));
    await createTables(client, names);
    const calls: string[] = [];
    const weak: unknown[] = [];
    client.middlewareStack.add(
      (next, { commandName = '' }) =>
        async (args) => {
          calls.push(commandName.replace(/Command$/, ''));
          const input = args.input as { IndexName?: string; ConsistentRead?: boolean };
          if (/^(Get|Query)/.test(commandName) && input.IndexName === undefined && !input.ConsistentRead)
            weak.push(input);
          return next(args);
        },
      { step: 'initialize' },
    );
    const stores = createDynamoStores({ client, tableNames: names, now: Date.now, maxTransactionItems: 10 });
    const callsOf = async (work: () => Promise<unknown>): Promise<string[]> => {
      calls.length = 0;
      await work();
      return [...calls].sort();
    };
    const { tasks, events, outcomes, wakeups, leases } = stores;
    const task = aTask({ task_id: newTaskId(), user_id: 'calls' });
    const id = task.task_id;
    const move = ['GetItem', 'TransactWriteItems'];

    expect(await callsOf(() => tasks.create(task, [aCreation], { key: 'k', bodyHash: 'h' }))).toEqual([
      'TransactWriteItems',
    ]);
    expect(await callsOf(() => tasks.transition(id, { from: 'SUBMITTED', to: 'QUEUED' }, []))).toEqual(move);
    const admission = await callsOf(() =>
      tasks.admit(id, { perUser: 2, system: 4, attempt: 1 }, {}, [aMilestone('in')]),
    );
    // The task, the users in their shards, the system's slots, the head of the one queue.
    expect(admission).toEqual([
      'BatchGetItem',
      ...move.slice(0, 1),
      ...Array(5).fill('Query'),
      ...move.slice(1),
    ]);
    expect(await callsOf(() => tasks.transition(id, { from: 'HYDRATING', to: 'RUNNING' }, []))).toEqual(move);
    const heartbeat = { patch: { last_heartbeat_at: '2030-01-01T00:00:00.000Z' } };
    expect(await callsOf(() => tasks.update(id, heartbeat))).toEqual(['UpdateItem']);
    const reported = [{ seq: 0, event: aMilestone('n'), timestamp: '2030-01-01T00:00:00.000Z' }];
    expect(await callsOf(() => events.appendReported(id, 1, reported))).toEqual(move);
    expect(await callsOf(() => events.appendReported(id, 1, reported))).toEqual(['GetItem']);
    expect(await callsOf(() => events.list(id, { limit: 10 }))).toEqual(['Query']);
    expect(await callsOf(() => wakeups.signal(id))).toEqual(['UpdateItem']);
    expect(await callsOf(() => leases.acquire('i', { owner: 'a', epoch: 1, ttlMs: 9 }))).toEqual([
      'UpdateItem',
    ]);
    expect(await callsOf(() => leases.release('i', { owner: 'a', epoch: 1 }))).toEqual(['DeleteItem']);
    await outcomes.put(id, 1, anOutcome());
    const list = await callsOf(() => tasks.list({ userId: 'calls', limit: 20 }));
    expect(list).toEqual(['BatchGetItem', 'Query']);

    calls.length = 0;
    await tasks.transition(id, { from: 'RUNNING', to: 'FAILED' }, endOf('FAILED'));
    await Promise.all([
      tasks.slots(),
      tasks.admissible({ perUser: 1, system: 1 }, 5),
      tasks.list({ limit: 5 }),
      tasks.listByStatus(['FAILED'], 5),
      leases.list(''),
      stores.repos.list({ limit: 5 }),
      stores.apiKeys.list({ limit: 5 }),
      stores.deliveries.list({ limit: 5 }),
    ]);
    await tasks.sweep('9', 5);
    for (const wrong of ['', 'x'.repeat(5_000)]) {
      expect(await tasks.get(wrong)).toBeUndefined();
      expect(await stores.repos.get(wrong)).toBeUndefined();
      expect(await stores.apiKeys.get(wrong)).toBeUndefined();
      expect(await tasks.findByIdempotencyKey('u', { key: wrong, bodyHash: 'h' })).toBeUndefined();
      expect(await events.list(wrong, { limit: 5 })).toEqual({ items: [], nextToken: null });
    }
    await expect(stores.repos.put(aRepo({ repo: 'x'.repeat(5_000) }))).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
    });
    expect(calls.filter((call) => call === 'Scan')).toEqual([]);
    expect(weak).toEqual([]);
    client.destroy();
  });
});
