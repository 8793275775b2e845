import fc from 'fast-check';
import { afterEach, beforeEach, expect } from 'vitest';
import type { TaskStore } from '../../src/stores/task-store.ts';
import type { Task } from '../../src/task/task.ts';
import { endOf } from '../fixtures/events.ts';
import { aTask } from '../fixtures/task.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

const GRANTED = [{ type: 'admission_granted', metadata: { queued_ms: 0 } }] as const;

/** Slots and the queue: O2, K2. */
export function admissionContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let tasks: TaskStore;
  beforeEach(async () => {
    harness = await create();
    tasks = harness.stores.tasks;
  });
  afterEach(() => harness.close());

  const submitted = async (user_id: string): Promise<Task> =>
    (await tasks.create(aTask({ task_id: newTaskId(), user_id }), [])).task;
  const enqueue = (task: Task) => tasks.transition(task.task_id, { from: 'SUBMITTED', to: 'QUEUED' }, []);
  /** Each a millisecond later than the one before. */
  const queued = async (user_id: string): Promise<Task> => {
    harness.clock.advance(1);
    return enqueue(await submitted(user_id));
  };
  const admit = (task: Task, limits: { perUser: number; system: number }) =>
    tasks.admit(task.task_id, { attempt: 1, ...limits }, { waiting_for: null }, [...GRANTED]);
  const kindOf = async (task: Task, limits: { perUser: number; system: number }) =>
    (await admit(task, limits)).kind;
  const end = (task: Task) =>
    tasks.transition(task.task_id, { from: 'HYDRATING', to: 'FAILED' }, endOf('FAILED'));
  const grants = async (task: Task): Promise<number> =>
    (await harness.stores.events.list(task.task_id, { limit: 100 })).items.filter(
      (event) => event.event_type === 'admission_granted',
    ).length;
  const roomy = { perUser: 10, system: 100 };

  it('gives a slot and moves to HYDRATING in one write', async () => {
    const task = await submitted('u');
    const answer = await tasks.admit(task.task_id, { attempt: 1, ...roomy }, { admitted_at: 'now' }, [
      ...GRANTED,
    ]);
    expect(answer).toMatchObject({ kind: 'admitted', task: { status: 'HYDRATING', admitted_at: 'now' } });
    expect(await tasks.get(task.task_id)).toMatchObject({ status: 'HYDRATING', admitted_at: 'now' });
    expect(await tasks.slots()).toEqual([{ userId: 'u', taskId: task.task_id }]);
    expect(await grants(task)).toBe(1);
  });

  it('takes a queued task out of the queue', async () => {
    const task = await queued('u');
    expect(await tasks.queuePosition(task.task_id)).toBe(0);
    expect(await admit(task, roomy)).toMatchObject({ kind: 'admitted', task: { status: 'HYDRATING' } });
    expect(await tasks.queuePosition(task.task_id)).toBeNull();
    expect(await tasks.admissible(roomy, 10)).toEqual([]);
  });

  it('is harmless when it is done twice', async () => {
    const task = await submitted('u');
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => kindOf(task, { perUser: 1, system: 1 })),
    );
    expect(answers).toEqual(Array(5).fill('admitted'));
    expect(await tasks.slots()).toHaveLength(1);
    expect(await grants(task)).toBe(1);
  });

  it('says no, and why, when the user or the system is full', async () => {
    const [first, second, other] = [await submitted('u'), await submitted('u'), await submitted('v')];
    await admit(first, roomy);
    expect(await admit(second, { perUser: 1, system: 10 })).toEqual({
      kind: 'full',
      reason: '1 of 1 tasks of the user are active',
    });
    expect(await admit(other, { perUser: 1, system: 1 })).toEqual({
      kind: 'full',
      reason: '1 of 1 tasks of the system are active',
    });
    expect(await tasks.get(second.task_id)).toEqual(second);
    expect(await grants(second)).toBe(0);
    expect(await kindOf(other, { perUser: 1, system: 2 })).toBe('admitted');
  });

  it('never gives out more slots than there are, however many ask at once', async () => {
    const users = ['a', 'b', 'c', 'd'];
    const all = await Promise.all(users.flatMap((user) => Array.from({ length: 6 }, () => submitted(user))));
    const limits = { perUser: 3, system: 8 };
    const answers = await Promise.all(all.map((task) => kindOf(task, limits)));
    expect(answers.filter((kind) => kind === 'admitted')).toHaveLength(8);
    const slots = await tasks.slots();
    expect(slots).toHaveLength(8);
    for (const user of users)
      expect(slots.filter(({ userId }) => userId === user).length).toBeLessThanOrEqual(3);
  });

  it('gives the slot back with every terminal status, and keeps it until then', async () => {
    const task = await submitted('u');
    await admit(task, roomy);
    for (const [from, to] of [
      ['HYDRATING', 'AWAITING_APPROVAL'],
      ['AWAITING_APPROVAL', 'RUNNING'],
      ['RUNNING', 'FINALIZING'],
    ] as const) {
      await tasks.transition(task.task_id, { from, to }, []);
      expect(await tasks.slots(), to).toHaveLength(1);
    }
    await tasks.transition(task.task_id, { from: 'FINALIZING', to: 'COMPLETED' }, endOf('COMPLETED'));
    expect(await tasks.slots()).toEqual([]);
    expect(await kindOf(await submitted('u'), { perUser: 1, system: 1 })).toBe('admitted');
  });

  it('admits the queue in its order (FIFO)', async () => {
    const limits = { perUser: 1, system: 10 };
    const running = await submitted('u');
    await admit(running, limits);
    const [first, second, third] = [await queued('u'), await queued('u'), await queued('u')];
    expect(
      await Promise.all([first, second, third].map((task) => tasks.queuePosition(task.task_id))),
    ).toEqual([0, 1, 2]);
    expect(await tasks.admissible(limits, 10)).toEqual([]);

    await end(running);
    expect(await tasks.admissible(limits, 10)).toEqual([first.task_id]);
    expect(await admit(third, limits)).toEqual({
      kind: 'full',
      reason: 'older tasks of the queue come first',
    });
    expect(await kindOf(second, limits)).toBe('full');
    expect(await kindOf(first, limits)).toBe('admitted');
    expect(await tasks.queuePosition(third.task_id)).toBe(1);
  });

  it('tells the place among all, and among the own ones', async () => {
    const [, mine, , another] = [await queued('v'), await queued('u'), await queued('v'), await queued('u')];
    const places = async ({ task_id }: Task) => [
      await tasks.queuePosition(task_id),
      await tasks.ownQueuePosition(task_id),
    ];
    expect(await places(mine)).toEqual([1, 0]);
    expect(await places(another)).toEqual([3, 1]);
    expect(await places(await submitted('u'))).toEqual([null, null]);
    expect(await tasks.ownQueuePosition('unknown')).toBeNull();
  });

  it('lets a new task in only when the queue leaves room', async () => {
    const limits = { perUser: 10, system: 2 };
    const waiting = await queued('u');
    const [next, last] = [await submitted('v'), await submitted('w')];
    expect(await kindOf(next, limits)).toBe('admitted');
    expect(await admit(last, limits)).toEqual({
      kind: 'full',
      reason: 'older tasks of the queue come first',
    });
    expect(await kindOf(waiting, limits)).toBe('admitted');
  });

  it('lets no new task of a user pass the older ones of the same user', async () => {
    const limits = { perUser: 1, system: 10 };
    const waiting = await queued('u');
    expect(await admit(await submitted('u'), limits)).toEqual({
      kind: 'full',
      reason: 'older tasks of the queue come first',
    });
    expect(await kindOf(await submitted('v'), limits)).toBe('admitted');
    expect(await kindOf(waiting, limits)).toBe('admitted');
  });

  it('holds nobody up for a task whose user is full', async () => {
    const limits = { perUser: 1, system: 3 };
    await admit(await submitted('busy'), limits);
    const stuck = [await queued('busy'), await queued('busy')];
    const [a, b] = [await queued('a'), await queued('b')];
    expect(await tasks.admissible(limits, 10)).toEqual([a.task_id, b.task_id]);
    expect(await kindOf(b, limits)).toBe('admitted');
    expect(await kindOf(a, limits)).toBe('admitted');
    expect(await kindOf(stuck[0] ?? a, limits)).toBe('full');
  });

  it('lets in all that have room, in whatever order they ask', async () => {
    const limits = { perUser: 2, system: 3 };
    const [a1, a2, a3, b1] = [await queued('a'), await queued('a'), await queued('a'), await queued('b')];
    expect(await tasks.admissible(limits, 10)).toEqual([a1.task_id, a2.task_id, b1.task_id]);
    expect(await tasks.admissible(limits, 2)).toEqual([a1.task_id, a2.task_id]);
    expect(await kindOf(a3, limits)).toBe('full');
    for (const task of [b1, a2, a1]) expect(await kindOf(task, limits)).toBe('admitted');
  });

  it('keeps no place for a task that was cancelled in the queue', async () => {
    const limits = { perUser: 1, system: 1 };
    const [cancelled, next] = [await queued('u'), await queued('u')];
    await tasks.update(cancelled.task_id, { patch: { cancel_requested_at: '2030-01-01T00:00:00.000Z' } });
    expect(await tasks.queuePosition(cancelled.task_id)).toBeNull();
    expect(await tasks.queuePosition(next.task_id)).toBe(0);
    expect(await tasks.admissible(limits, 10)).toEqual([next.task_id]);
    expect(await kindOf(next, limits)).toBe('admitted');
  });

  it('refuses what is no candidate: unknown, ended, waiting for uploads, another attempt', async () => {
    const limits = { attempt: 1, ...roomy };
    await expect(tasks.admit(newTaskId(), limits, {}, [])).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    for (const status of ['FAILED', 'PENDING_UPLOADS'] as const) {
      const { task } = await tasks.create(aTask({ task_id: newTaskId(), status }), []);
      await expect(tasks.admit(task.task_id, limits, {}, [])).rejects.toMatchObject({ code: 'TASK_MOVED' });
    }
    const task = await submitted('u');
    await expect(tasks.admit(task.task_id, { ...limits, attempt: 2 }, {}, [])).rejects.toMatchObject({
      code: 'TASK_MOVED',
    });
    expect(await tasks.slots()).toEqual([]);
  });

  it('releases the slot of no live task, and leaves every other alone (K2)', async () => {
    const live = await submitted('u');
    await admit(live, roomy);
    const { task: ended } = await tasks.create(aTask({ task_id: newTaskId(), status: 'FAILED' }), []);
    const gone = newTaskId();
    await harness.plantSlot('u', ended.task_id);
    await harness.plantSlot('u', gone);
    expect(await tasks.slots()).toHaveLength(3);
    expect(await tasks.releaseStaleSlot('u', live.task_id)).toBe(false);
    expect(await tasks.releaseStaleSlot('somebody else', gone)).toBe(false);
    expect(await tasks.releaseStaleSlot('u', ended.task_id)).toBe(true);
    const twice = await Promise.all([tasks.releaseStaleSlot('u', gone), tasks.releaseStaleSlot('u', gone)]);
    expect(twice.sort()).toEqual([false, true]);
    expect(await tasks.slots()).toEqual([{ userId: 'u', taskId: live.task_id }]);
  });

  it('keeps order, limits and slots right through any sequence of submits, ends and cancels (O2)', async () => {
    const limits = { perUser: 2, system: 4 };
    const step = fc.record({
      act: fc.constantFrom('submit', 'submit', 'end', 'cancel', 'ask'),
      user: fc.constantFrom('a', 'b', 'c'),
      pick: fc.nat(20),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const active: Task[] = [];
        const queue: Task[] = [];
        /** Who may have a slot, by the book: down the queue, each that fits. */
        const fitting = (candidates: Task[]): Task[] => {
          const taken = [...active];
          return candidates.filter((task) => {
            const ofUser = taken.filter(({ user_id }) => user_id === task.user_id).length;
            const fits = ofUser < limits.perUser && taken.length < limits.system;
            if (fits) taken.push(task);
            return fits;
          });
        };
        const ask = async (task: Task): Promise<void> => {
          const expected = fitting(queue.includes(task) ? queue : [...queue, task]).includes(task);
          expect(await kindOf(task, limits)).toBe(expected ? 'admitted' : 'full');
          if (expected) {
            active.push(task);
            if (queue.includes(task)) queue.splice(queue.indexOf(task), 1);
          } else if (!queue.includes(task)) queue.push(await enqueue(task));
        };
        for (const { act, user, pick } of steps) {
          harness.clock.advance(1);
          const ending = active[pick % Math.max(1, active.length)];
          const waiting = queue[pick % Math.max(1, queue.length)];
          if (act === 'submit') await ask(await submitted(user));
          else if (act === 'end' && ending) await end(active.splice(active.indexOf(ending), 1)[0] ?? ending);
          else if (act === 'ask' && waiting) await ask(waiting);
          else if (act === 'cancel' && waiting) {
            queue.splice(queue.indexOf(waiting), 1);
            await tasks.transition(waiting.task_id, { from: 'QUEUED', to: 'CANCELLED' }, endOf('CANCELLED'));
          }
          expect(await tasks.admissible(limits, 100)).toEqual(fitting(queue).map(({ task_id }) => task_id));
          expect((await tasks.slots()).map(({ taskId }) => taskId).sort()).toEqual(
            active.map(({ task_id }) => task_id).sort(),
          );
        }
        for (const task of active) await end(task);
        for (const task of queue)
          await tasks.transition(task.task_id, { from: 'QUEUED', to: 'FAILED' }, endOf('FAILED'));
      }),
      { numRuns: 15 },
    );
  });
}
