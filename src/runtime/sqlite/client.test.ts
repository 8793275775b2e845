import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OperationUpdate } from '@aws/durable-execution-sdk-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../sqlite/database.ts';
import { openDatabase } from '../../sqlite/open.ts';
import { createEngine, type Engine } from './engine.ts';
import { runtimeMigrations } from './executions.ts';
import { DEFAULT_LIMITS } from './limits.ts';

const start = (Id: string, more: Partial<OperationUpdate> = {}): OperationUpdate => ({
  Id,
  Type: 'STEP',
  Action: 'START',
  ...more,
});
const succeed = (Id: string, Payload = '1'): OperationUpdate => ({
  Id,
  Type: 'STEP',
  Action: 'SUCCEED',
  Payload,
});

describe('the client that handlers save through', () => {
  let folder: string;
  let database: Database;
  let engine: Engine;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bgagent-client-'));
    database = await openDatabase({ file: join(folder, 'test.db'), migrations: [runtimeMigrations] });
    let ids = 0;
    engine = createEngine({
      database,
      limits: { ...DEFAULT_LIMITS, operations: 10, historyBytes: 10_000 },
      now: Date.now,
      newId: () => `id-${++ids}`,
      onError: (error) => {
        throw error;
      },
      ended: () => undefined,
    });
    engine.register('hang', () => new Promise(() => undefined), undefined);
  });
  afterEach(async () => {
    await engine.close();
    await database.close();
    rmSync(folder, { recursive: true });
  });

  /** An execution whose handler hangs, so that the test can save in its place; resolves with its first token. */
  async function begin(id: string): Promise<string> {
    const row = engine.newRow('hang', { id, input: '{}', parent: null });
    if (!row) throw new Error('no handler');
    const execution = engine.live.add(row);
    const written = engine.live.write([execution], [engine.table.insert(row)]);
    engine.drive(execution);
    await written;
    return engine.live.get(id)?.invocation?.token ?? '';
  }

  const save = (id: string, token: string, ...Updates: OperationUpdate[]) =>
    engine.client.checkpoint({ DurableExecutionArn: id, CheckpointToken: token, Updates });
  const refused = (scope: string, code: string) => ({
    isDurableExecutionClientError: true,
    scope,
    cause: { code },
  });

  it('takes each token once: an older one ends the invocation, not the execution', async () => {
    const first = await begin('one');
    const { CheckpointToken: second = '' } = await save('one', first, start('a'));
    expect(second).not.toBe(first);
    await expect(save('one', first, succeed('a'))).rejects.toMatchObject(
      refused('INVOCATION', 'STALE_CHECKPOINT_TOKEN'),
    );
    await expect(save('one', '', succeed('a'))).rejects.toMatchObject(
      refused('INVOCATION', 'STALE_CHECKPOINT_TOKEN'),
    );
    const { NewExecutionState: state } = await save('one', second, succeed('a', '7'));
    expect(state?.Operations).toMatchObject([
      { Id: 'a', Status: 'SUCCEEDED', StepDetails: { Result: '7', Attempt: 1 } },
    ]);
  });

  it('takes no token of another execution', async () => {
    const token = await begin('one');
    await begin('two');
    await expect(save('two', token, start('a'))).rejects.toMatchObject(
      refused('INVOCATION', 'STALE_CHECKPOINT_TOKEN'),
    );
  });

  it('refuses an update that its operation can not take, with all that came with it', async () => {
    const token = await begin('one');
    const invalid = save('one', token, start('a'), { Id: 'b', Type: 'WAIT', Action: 'SUCCEED' });
    await expect(invalid).rejects.toMatchObject(refused('EXECUTION', 'INVALID_CHECKPOINT'));
    expect(engine.live.get('one')?.state.operations.size).toBe(0);
  });

  it('tells once of what changed from outside', async () => {
    const token = await begin('one');
    const started = await save('one', token, { Id: 'c', Type: 'CALLBACK', Action: 'START' });
    const callbackId = started.NewExecutionState?.Operations?.[0]?.CallbackDetails?.CallbackId ?? '';
    await engine.callbacks.completeCallback(callbackId, 'yes');
    const told = await save('one', started.CheckpointToken ?? '');
    expect(told.NewExecutionState?.Operations).toMatchObject([
      { Id: 'c', Status: 'SUCCEEDED', CallbackDetails: { Result: 'yes' } },
    ]);
    const again = await save('one', told.CheckpointToken ?? '');
    expect(again.NewExecutionState?.Operations).toEqual([]);
  });

  it('refuses more operations and more state than an execution may have', async () => {
    const many = await begin('many');
    const eleven = Array.from({ length: 11 }, (_, index) => start(`s${index}`));
    await expect(save('many', many, ...eleven)).rejects.toMatchObject(
      refused('EXECUTION', 'HISTORY_LIMIT_EXCEEDED'),
    );
    const large = await begin('large');
    const { CheckpointToken: next = '' } = await save('large', large, succeed('a', 'x'.repeat(9_000)));
    await expect(save('large', next, succeed('b', 'x'.repeat(9_000)))).rejects.toMatchObject(
      refused('EXECUTION', 'HISTORY_LIMIT_EXCEEDED'),
    );
  });

  it('reads the state in pages, without what lies in finished contexts', async () => {
    const token = await begin('one');
    const { CheckpointToken: next = '' } = await save(
      'one',
      token,
      { Id: 'c', Type: 'CONTEXT', Action: 'START' },
      start('inside', { ParentId: 'c' }),
      start('a'),
      start('b'),
      { Id: 'c', Type: 'CONTEXT', Action: 'SUCCEED', Payload: '1' },
    );
    const page = { DurableExecutionArn: 'one', CheckpointToken: next, MaxItems: 2 };
    const first = await engine.client.getExecutionState(page);
    const second = await engine.client.getExecutionState({ ...page, Marker: first.NextMarker });
    expect([first, second].map(({ Operations }) => Operations?.map(({ Id }) => Id))).toEqual([
      ['c', 'a'],
      ['b'],
    ]);
    expect(second.NextMarker).toBeUndefined();
  });
});
