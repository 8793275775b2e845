import { afterAll, beforeAll, expect } from 'vitest';
import type { NudgeRecord } from '../../src/stores/nudge-store.ts';
import type { Stores } from '../../src/stores/stores.ts';
import type { NewEvent } from '../../src/task/events.ts';
import { LIVE_STATUSES } from '../../src/task/status.ts';
import type { Task } from '../../src/task/task.ts';
import { endOf } from '../fixtures/events.ts';
import { aTask } from '../fixtures/task.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

const SUBMITTED_AT = '2030-01-01T00:00:00.000Z';
const SETTLED_AT = '2030-01-01T00:01:00.000Z';

const aNudge = (taskId: string, fields: Partial<NudgeRecord> = {}): NudgeRecord => ({
  nudge_id: newTaskId(),
  task_id: taskId,
  user_id: 'user-1',
  message: 'Mind the other language, too: ä',
  submitted_at: SUBMITTED_AT,
  idempotency_key: null,
  settled_at: null,
  ...fields,
});

const received = ({ nudge_id, user_id }: NudgeRecord): NewEvent => ({
  type: 'nudge_received',
  metadata: { nudge_id, by: user_id, preview: '' },
});

/** What people say to agents: kept until a runner has settled it. */
export function nudgeStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let stores: Stores;
  beforeAll(async () => {
    harness = await create();
    stores = harness.stores;
  });
  afterAll(() => harness.close());

  const aTaskThat = async (fields: Partial<Task> = {}): Promise<string> =>
    (await stores.tasks.create(aTask({ task_id: newTaskId(), status: 'RUNNING', ...fields }), [])).task
      .task_id;
  async function added(taskId: string): Promise<NudgeRecord> {
    const nudge = aNudge(taskId);
    await stores.nudges.add(nudge, [received(nudge)]);
    return nudge;
  }
  const typesOf = async (taskId: string): Promise<string[]> =>
    (await stores.events.list(taskId, { limit: 100 })).items.map((event) => event.event_type);

  it('keeps nudges with their events, oldest first, up to the limit', async () => {
    const taskId = await aTaskThat();
    const [first, second, third] = [await added(taskId), await added(taskId), await added(taskId)];
    expect(await stores.nudges.waiting(taskId, 10)).toEqual([first, second, third]);
    expect(await stores.nudges.waiting(taskId, 2)).toEqual([first, second]);
    expect(await stores.nudges.waiting(await aTaskThat(), 10)).toEqual([]);
    expect(await typesOf(taskId)).toEqual(['nudge_received', 'nudge_received', 'nudge_received']);
  });

  it('takes one in every status but the terminal ones', async () => {
    for (const status of LIVE_STATUSES) {
      const taskId = await aTaskThat({ status });
      await added(taskId);
      expect(await stores.nudges.waiting(taskId, 10), status).toHaveLength(1);
    }
  });

  it('refuses one for a task that has ended or never was, without a trace', async () => {
    const taskId = await aTaskThat();
    await stores.tasks.transition(taskId, { from: 'RUNNING', to: 'FAILED' }, endOf('FAILED'));
    await expect(added(taskId)).rejects.toMatchObject({ code: 'TASK_ALREADY_TERMINAL' });
    await expect(added(newTaskId())).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    expect(await stores.nudges.waiting(taskId, 10)).toEqual([]);
    expect(await typesOf(taskId)).toEqual(['task_failed']);
  });

  it('takes an id once', async () => {
    const taskId = await aTaskThat();
    const nudge = await added(taskId);
    await expect(stores.nudges.add({ ...nudge, message: 'other' }, [])).rejects.toThrow();
    expect(await stores.nudges.waiting(taskId, 10)).toEqual([nudge]);
  });

  it('takes an idempotency key of a user once a task, and returns the nudge of then', async () => {
    const taskId = await aTaskThat();
    const first = aNudge(taskId, { idempotency_key: 'k' });
    const add = (fields: Partial<NudgeRecord>) => {
      const nudge = aNudge(taskId, { idempotency_key: 'k', ...fields });
      return stores.nudges.add(nudge, [received(nudge)]);
    };
    expect(await stores.nudges.add(first, [])).toEqual({ nudge: first, created: true });
    expect(await add({ message: 'again' })).toEqual({ nudge: first, created: false });
    expect(await add({ user_id: 'user-2' })).toMatchObject({ created: true });
    expect(await add({ task_id: await aTaskThat() })).toMatchObject({ created: true });
    expect(await stores.nudges.waiting(taskId, 10)).toHaveLength(2);
    expect(await typesOf(taskId)).toHaveLength(1);
    await stores.tasks.transition(taskId, { from: 'RUNNING', to: 'FAILED' }, endOf('FAILED'));
    expect(await add({})).toEqual({ nudge: first, created: false });
  });

  it('settles nudges for good, whoever says so again', async () => {
    const taskId = await aTaskThat();
    const [first, second, third] = [await added(taskId), await added(taskId), await added(taskId)];
    await stores.nudges.settle(taskId, [first.nudge_id, third.nudge_id, 'unknown'], SETTLED_AT);
    await stores.nudges.settle(taskId, [first.nudge_id], '2031-01-01T00:00:00.000Z');
    await stores.nudges.settle(taskId, [], SETTLED_AT);
    expect(await stores.nudges.waiting(taskId, 10)).toEqual([second]);
  });

  it('leaves the nudges of another task alone', async () => {
    const nudge = await added(await aTaskThat());
    await stores.nudges.settle(await aTaskThat(), [nudge.nudge_id], SETTLED_AT);
    expect(await stores.nudges.waiting(nudge.task_id, 10)).toEqual([nudge]);
  });

  it('is the same after a restart', async () => {
    const own = await create();
    try {
      const { task } = await own.stores.tasks.create(aTask({ task_id: newTaskId() }), []);
      const [waiting, settled] = [aNudge(task.task_id), aNudge(task.task_id)];
      for (const nudge of [waiting, settled]) await own.stores.nudges.add(nudge, []);
      await own.stores.nudges.settle(task.task_id, [settled.nudge_id], SETTLED_AT);
      expect(await (await own.reopen()).nudges.waiting(task.task_id, 10)).toEqual([waiting]);
    } finally {
      await own.close();
    }
  });
}
