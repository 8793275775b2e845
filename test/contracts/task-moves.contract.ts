import fc from 'fast-check';
import { afterAll, beforeAll, expect } from 'vitest';
import type { TaskStore } from '../../src/stores/task-store.ts';
import { codeOf } from '../../src/task/errors.ts';
import {
  ACTIVE_STATUSES,
  isLegalMove,
  isTerminal,
  TASK_STATUSES,
  type TaskStatus,
} from '../../src/task/status.ts';
import type { Task } from '../../src/task/task.ts';
import { aMilestone, endOf } from '../fixtures/events.ts';
import { aTask } from '../fixtures/task.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

/** The table of states, one write a move, the attempt as epoch: T1, T2, T5. */
export function taskMovesContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let tasks: TaskStore;
  beforeAll(async () => {
    harness = await create();
    tasks = harness.stores.tasks;
  });
  afterAll(() => harness.close());

  const added = async (fields: Partial<Task> = {}): Promise<Task> =>
    (await tasks.create(aTask({ task_id: newTaskId(), ...fields }), [])).task;
  const typesOf = async (taskId: string): Promise<string[]> =>
    (await harness.stores.events.list(taskId, { limit: 100 })).items.map((event) => event.event_type);
  const iso = (): string => new Date(harness.clock.now()).toISOString();

  it('moves status, fields, times and events in one write, and returns what it wrote', async () => {
    const task = await added({ status: 'HYDRATING', timings: { ...aTask().timings, queued_ms: 5 } });
    harness.clock.advance(1_234);
    const session = { type: 'local', id: 's', ref: { pid: 7, nested: { a: null } } };
    const moved = await tasks.transition(
      task.task_id,
      { from: 'HYDRATING', to: 'RUNNING', patch: { session, waiting_for: null, branch_name: 'b' } },
      [aMilestone('one'), aMilestone('two')],
    );
    expect(moved).toEqual({ ...task, status: 'RUNNING', session, branch_name: 'b', updated_at: iso() });
    expect(await tasks.get(task.task_id)).toEqual(moved);
    const events = (await harness.stores.events.list(task.task_id, { limit: 10 })).items;
    expect(events.map(({ timestamp, metadata }) => [timestamp, metadata.milestone])).toEqual([
      [iso(), 'one'],
      [iso(), 'two'],
    ]);
  });

  it('replaces a field whole, and leaves one that is undefined alone', async () => {
    const task = await added({ session: { type: 'local', id: 'a', ref: { pid: 1 } }, branch_name: 'kept' });
    const patch = {
      session: { type: 'local', id: 'b', ref: {} },
      branch_name: undefined,
      waiting_for: 'room',
    };
    expect(await tasks.update(task.task_id, { patch })).toMatchObject({
      session: { type: 'local', id: 'b', ref: {} },
      branch_name: 'kept',
      waiting_for: 'room',
    });
    expect((await tasks.get(task.task_id))?.session?.ref).toEqual({});
    expect(await tasks.update(task.task_id, { patch: { session: null } })).toMatchObject({ session: null });
  });

  it('says when a task was queued and when it ended', async () => {
    const task = await added({ user_id: 'times' });
    const queued = await tasks.transition(task.task_id, { from: 'SUBMITTED', to: 'QUEUED' }, []);
    expect(queued.queued_at).toBe(iso());
    harness.clock.advance(1_000);
    const ended = await tasks.transition(task.task_id, { from: 'QUEUED', to: 'FAILED' }, endOf('FAILED'));
    expect(ended).toMatchObject({ completed_at: iso(), queued_at: queued.queued_at });
    const other = await added();
    const patch = { completed_at: '2029-01-01T00:00:00.000Z' };
    expect(
      await tasks.transition(
        other.task_id,
        { from: 'SUBMITTED', to: 'CANCELLED', patch },
        endOf('CANCELLED'),
      ),
    ).toMatchObject(patch);
  });

  it('allows the moves of the table and refuses every other (T1)', async () => {
    const pairs = TASK_STATUSES.flatMap((from) => TASK_STATUSES.map((to) => ({ from, to })));
    await Promise.all(
      pairs.map(async ({ from, to }) => {
        const task = await added({ status: from, user_id: `${from}-${to}` });
        const answer = await tasks.transition(task.task_id, { from, to }, endOf(to)).then(
          (moved) => moved.status,
          (error) => codeOf(error),
        );
        expect(answer, `${from} to ${to}`).toBe(isLegalMove(from, to) ? to : 'ILLEGAL_TRANSITION');
        expect((await tasks.get(task.task_id))?.status).toBe(isLegalMove(from, to) ? to : from);
        expect(await typesOf(task.task_id)).toHaveLength(isLegalMove(from, to) ? endOf(to).length : 0);
      }),
    );
  });

  it('refuses a move from where the task is not, and writes nothing', async () => {
    const task = await added({ status: 'RUNNING' });
    for (const from of ['HYDRATING', ['HYDRATING', 'AWAITING_APPROVAL']] as const)
      await expect(
        tasks.transition(task.task_id, { from, to: 'RUNNING', patch: { branch_name: 'x' } }, [
          aMilestone('no'),
        ]),
      ).rejects.toMatchObject({ code: 'TASK_MOVED' });
    expect(await tasks.get(task.task_id)).toEqual(task);
    expect(await typesOf(task.task_id)).toEqual([]);
  });

  it('takes the legal one of several origins, and forbids the others', async () => {
    const move = { from: ['SUBMITTED', 'HYDRATING'], to: 'RUNNING' } as const;
    const hydrating = await added({ status: 'HYDRATING' });
    expect(await tasks.transition(hydrating.task_id, move, [])).toMatchObject({ status: 'RUNNING' });
    const submitted = await added({ status: 'SUBMITTED' });
    await expect(tasks.transition(submitted.task_id, move, [])).rejects.toMatchObject({
      code: 'ILLEGAL_TRANSITION',
    });
  });

  it('knows no task of an unknown id', async () => {
    const move = { from: 'RUNNING', to: 'FINALIZING' } as const;
    await expect(tasks.transition(newTaskId(), move, [])).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    await expect(tasks.update(newTaskId(), { patch: {} }, [aMilestone('x')])).rejects.toMatchObject({
      code: 'TASK_NOT_FOUND',
    });
  });

  it('refuses an attempt that is not the current one (T5)', async () => {
    const task = await added({ status: 'RUNNING', attempt: 2 });
    for (const attempt of [1, 3]) {
      const move = { from: 'RUNNING', to: 'FINALIZING', attempt } as const;
      await expect(tasks.transition(task.task_id, move, [])).rejects.toMatchObject({ code: 'TASK_MOVED' });
      const stale = tasks.update(task.task_id, { when: { attempt }, patch: { waiting_for: 'x' } });
      await expect(stale).rejects.toMatchObject({ code: 'TASK_MOVED' });
    }
    expect(await tasks.get(task.task_id)).toEqual(task);
    const move = { from: 'RUNNING', to: 'FINALIZING', attempt: 2 } as const;
    expect(await tasks.transition(task.task_id, move, [])).toMatchObject({ status: 'FINALIZING' });
  });

  it('raises the attempt, which from then on is the only one that counts (T5)', async () => {
    const task = await added({ status: 'RUNNING', attempt: 1 });
    const when = { statuses: ['RUNNING'], attempt: 1 } as const;
    const restarts = await Promise.allSettled(
      Array.from({ length: 5 }, () =>
        tasks.update(task.task_id, { when, patch: { attempt: 2 } }, [
          { type: 'task_restarted', metadata: { attempt: 2, reason: 'lost' } },
        ]),
      ),
    );
    expect(restarts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await typesOf(task.task_id)).toEqual(['task_restarted']);
    await expect(tasks.update(task.task_id, { when: { attempt: 1 }, patch: {} })).rejects.toMatchObject({
      code: 'TASK_MOVED',
    });
    expect(await tasks.update(task.task_id, { when: { attempt: 2 }, patch: {} })).toMatchObject({
      status: 'RUNNING',
    });
  });

  it('changes a terminal task only when its status is named', async () => {
    const task = await added({ status: 'FAILED' });
    await expect(tasks.update(task.task_id, { patch: { pr_url: 'x' } })).rejects.toMatchObject({
      code: 'TASK_MOVED',
    });
    const when = { statuses: ['FAILED', 'COMPLETED'] } as const;
    expect(await tasks.update(task.task_id, { when, patch: { pr_url: 'x' } })).toMatchObject({ pr_url: 'x' });
    await expect(
      tasks.update(task.task_id, { when: { statuses: ['RUNNING'] }, patch: {} }),
    ).rejects.toMatchObject({ code: 'TASK_MOVED' });
  });

  it('writes a cancel request once, however many ask at once', async () => {
    const task = await added({ status: 'RUNNING' });
    const asked = await Promise.allSettled(
      Array.from({ length: 5 }, () =>
        tasks.update(
          task.task_id,
          { when: { cancelRequested: false }, patch: { cancel_requested_at: iso() } },
          [{ type: 'cancel_requested', metadata: { by: 'user-1' } }],
        ),
      ),
    );
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await typesOf(task.task_id)).toEqual(['cancel_requested']);
    expect(await tasks.update(task.task_id, { when: { cancelRequested: true }, patch: {} })).toMatchObject({
      cancel_requested_at: iso(),
    });
  });

  it('has exactly one terminal event, equal to the status (T2)', async () => {
    const task = await added({ status: 'FINALIZING' });
    const refused = { code: 'ILLEGAL_TRANSITION' };
    const to = (status: TaskStatus, events: ReturnType<typeof endOf>) =>
      tasks.transition(task.task_id, { from: 'FINALIZING', to: status }, events);
    await expect(to('COMPLETED', [])).rejects.toMatchObject(refused);
    await expect(to('COMPLETED', endOf('FAILED'))).rejects.toMatchObject(refused);
    await expect(to('COMPLETED', [...endOf('COMPLETED'), ...endOf('COMPLETED')])).rejects.toMatchObject(
      refused,
    );
    await expect(to('FAILED', [...endOf('COMPLETED'), ...endOf('FAILED')])).rejects.toMatchObject(refused);
    await expect(tasks.update(task.task_id, { patch: {} }, endOf('FAILED'))).rejects.toMatchObject(refused);
    expect(await to('FAILED', [aMilestone('last words'), ...endOf('FAILED')])).toMatchObject({
      status: 'FAILED',
    });
    expect(await typesOf(task.task_id)).toEqual(['agent_milestone', 'task_failed']);
  });

  it('lets exactly one of many ends win (T2)', async () => {
    const task = await added({ status: 'RUNNING' });
    const ends = (['FAILED', 'CANCELLED', 'TIMED_OUT'] as const).flatMap((to) =>
      Array.from({ length: 8 }, () => to),
    );
    const answers = await Promise.allSettled(
      ends.map((to) => tasks.transition(task.task_id, { from: 'RUNNING', to }, endOf(to))),
    );
    const winners = answers.filter((answer) => answer.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    for (const answer of answers)
      if (answer.status === 'rejected') expect(codeOf(answer.reason)).toBe('TASK_MOVED');
    const status = winners[0]?.value.status ?? 'RUNNING';
    expect(await typesOf(task.task_id)).toEqual(endOf(status).map(({ type }) => type));
  });

  it('loses no field when many are written at once', async () => {
    const task = await added({ status: 'RUNNING' });
    await Promise.all([
      tasks.update(task.task_id, { patch: { last_heartbeat_at: iso() } }),
      tasks.update(task.task_id, { patch: { cost_usd: 1.25 } }),
      tasks.update(task.task_id, { patch: { waiting_for: 'x' } }),
      tasks.transition(task.task_id, { from: 'RUNNING', to: 'FINALIZING', patch: { head_sha: 'abc' } }, []),
    ]);
    expect(await tasks.get(task.task_id)).toMatchObject({
      last_heartbeat_at: iso(),
      cost_usd: 1.25,
      waiting_for: 'x',
      head_sha: 'abc',
      status: 'FINALIZING',
    });
  });

  it('follows the table through any sequence of moves, restarts and stale commands (T1, T2, T5)', async () => {
    const status = fc.constantFrom(...TASK_STATUSES);
    const command = fc.record({
      from: fc.uniqueArray(status, { minLength: 1, maxLength: 4 }),
      to: status,
      attempt: fc.constantFrom(undefined, 0, 1),
      restart: fc.boolean(),
      useCurrent: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(status, fc.array(command, { maxLength: 12 }), async (first, commands) => {
        const task = await added({ status: first, user_id: newTaskId() });
        const model = { status: first, attempt: 1, ends: [] as string[], slot: false };
        for (const { from, to, attempt: behind, restart, useCurrent } of commands) {
          const attempt = behind === undefined ? undefined : model.attempt - behind;
          // Half of the commands name the present status, or nothing would ever move.
          const origins = useCurrent ? [model.status, ...from] : from;
          const legal = origins.includes(model.status) && isLegalMove(model.status, to) && behind !== 1;
          const answer = await tasks
            .transition(
              task.task_id,
              { from: origins, to, ...(attempt !== undefined && { attempt }) },
              endOf(to),
            )
            .then(
              (moved) => moved.status,
              (error) => codeOf(error),
            );
          if (legal) {
            model.status = to;
            model.ends.push(...endOf(to).map(({ type }) => type));
            if (to === 'HYDRATING') model.slot = true;
            if (isTerminal(to)) model.slot = false;
            expect(answer).toBe(to);
          } else expect(answer).toMatch(/^(TASK_MOVED|ILLEGAL_TRANSITION)$/);
          if (restart && !isTerminal(model.status)) {
            model.attempt += 1;
            await tasks.update(task.task_id, { patch: { attempt: model.attempt } });
          }
        }
        expect(await tasks.get(task.task_id)).toMatchObject({ status: model.status, attempt: model.attempt });
        expect(await typesOf(task.task_id)).toEqual(model.ends);
        const slots = (await tasks.slots()).filter(({ taskId }) => taskId === task.task_id);
        expect(slots).toHaveLength(model.slot ? 1 : 0);
        if (model.slot) expect(ACTIVE_STATUSES).toContain(model.status);
        if (model.slot)
          await harness.stores.tasks.transition(
            task.task_id,
            { from: model.status, to: 'FAILED' },
            endOf('FAILED'),
          );
      }),
      { numRuns: 40 },
    );
  });
}
