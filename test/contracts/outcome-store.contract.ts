import { afterAll, beforeAll, expect } from 'vitest';
import type { OutcomeStore } from '../../src/stores/outcome-store.ts';
import type { Stores } from '../../src/stores/stores.ts';
import type { NewEvent } from '../../src/task/events.ts';
import type { Task } from '../../src/task/task.ts';
import { endOf } from '../fixtures/events.ts';
import { anOutcome } from '../fixtures/outcome.ts';
import { aTask } from '../fixtures/task.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

const REPORTED: NewEvent = { type: 'outcome_reported', metadata: { result: 'changes', head_sha: null } };

/** How an attempt ended, once: T5, T6. */
export function outcomeStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let stores: Stores;
  let outcomes: OutcomeStore;
  beforeAll(async () => {
    harness = await create();
    stores = harness.stores;
    outcomes = stores.outcomes;
  });
  afterAll(() => harness.close());

  const added = async (fields: Partial<Task> = {}): Promise<Task> =>
    (await stores.tasks.create(aTask({ task_id: newTaskId(), status: 'RUNNING', ...fields }), [])).task;
  const typesOf = async (task: Task): Promise<string[]> =>
    (await stores.events.list(task.task_id, { limit: 100 })).items.map((event) => event.event_type);

  it('keeps the report as it is, and its event with it', async () => {
    const task = await added();
    const outcome = anOutcome({ diff: '+ä\n'.repeat(100_000), summary: 'done \u0000' });
    expect(await outcomes.get(task.task_id, 1)).toBeUndefined();
    expect(await outcomes.put(task.task_id, 1, outcome, [REPORTED])).toEqual({ first: true });
    expect(await outcomes.get(task.task_id, 1)).toEqual(outcome);
    expect(await outcomes.get(task.task_id, 2)).toBeUndefined();
    expect(await typesOf(task)).toEqual(['outcome_reported']);
  });

  it('counts the first report only, and its event', async () => {
    const task = await added();
    await outcomes.put(task.task_id, 1, anOutcome(), [REPORTED]);
    for (const again of [anOutcome(), anOutcome({ result: 'failed' })])
      expect(await outcomes.put(task.task_id, 1, again, [REPORTED])).toEqual({ first: false });
    expect(await outcomes.get(task.task_id, 1)).toEqual(anOutcome());
    expect(await typesOf(task)).toEqual(['outcome_reported']);
  });

  it('lets one of many reports at once be the first', async () => {
    const task = await added();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        outcomes.put(task.task_id, 1, anOutcome({ summary: `report ${n}` }), [REPORTED]),
      ),
    );
    const first = answers.findIndex((answer) => answer.first);
    expect(answers.filter((answer) => answer.first)).toHaveLength(1);
    expect(await outcomes.get(task.task_id, 1)).toMatchObject({ summary: `report ${first}` });
    expect(await typesOf(task)).toEqual(['outcome_reported']);
  });

  it('takes a first report only for the live attempt, a repeat always', async () => {
    const task = await added();
    await outcomes.put(task.task_id, 1, anOutcome());
    await stores.tasks.update(task.task_id, { patch: { attempt: 2 } });
    expect(await outcomes.put(task.task_id, 1, anOutcome())).toEqual({ first: false });
    await expect(outcomes.put(task.task_id, 3, anOutcome())).rejects.toMatchObject({ code: 'EPOCH_STALE' });
    await stores.tasks.transition(task.task_id, { from: 'RUNNING', to: 'FAILED' }, endOf('FAILED'));
    await expect(outcomes.put(task.task_id, 2, anOutcome(), [REPORTED])).rejects.toMatchObject({
      code: 'TASK_ALREADY_TERMINAL',
    });
    await expect(outcomes.put(newTaskId(), 1, anOutcome())).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    expect(await typesOf(task)).toEqual(['task_failed']);
  });
}
