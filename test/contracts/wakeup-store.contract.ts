import { afterAll, beforeAll, expect } from 'vitest';
import type { WakeupStore } from '../../src/stores/wakeup-store.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

/** Signals and parking places: none is lost, whatever comes first. */
export function wakeupStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let wakeups: WakeupStore;
  beforeAll(async () => {
    harness = await create();
    wakeups = harness.stores.wakeups;
  });
  afterAll(() => harness.close());

  it('gives a signal the callback that waits', async () => {
    const task = newTaskId();
    expect(await wakeups.park(task, 'callback-1')).toEqual({ pending: false });
    expect(await wakeups.signal(task)).toBe('callback-1');
    expect(await wakeups.signal(newTaskId())).toBeNull();
  });

  it('keeps a signal that comes while nothing waits', async () => {
    const task = newTaskId();
    expect(await wakeups.signal(task)).toBeNull();
    expect(await wakeups.park(task, 'callback-1')).toEqual({ pending: true });
    expect(await wakeups.park(task, 'callback-2')).toEqual({ pending: true });
  });

  it('forgets signal and place when it is taken', async () => {
    const task = newTaskId();
    await wakeups.park(task, 'callback-1');
    await wakeups.signal(task);
    await wakeups.take(task);
    expect(await wakeups.signal(task)).toBeNull();
    await wakeups.take(task);
    expect(await wakeups.park(task, 'callback-2')).toEqual({ pending: false });
    await wakeups.take(newTaskId());
  });

  it('remembers the latest place', async () => {
    const task = newTaskId();
    await wakeups.park(task, 'callback-1');
    await wakeups.park(task, 'callback-2');
    expect(await wakeups.signal(task)).toBe('callback-2');
  });

  it('shows one of the two to whoever comes second, however they meet', async () => {
    for (let round = 0; round < 20; round += 1) {
      const task = newTaskId();
      const first = round % 2 === 0 ? wakeups.park(task, 'c') : wakeups.signal(task);
      const second = round % 2 === 0 ? wakeups.signal(task) : wakeups.park(task, 'c');
      const answers = [await first, await second];
      expect(
        answers.some((answer) => answer === 'c' || (typeof answer === 'object' && answer?.pending)),
      ).toBe(true);
    }
  });

  it('keeps both over a restart, until the task is forgotten', async () => {
    const own = await create();
    try {
      const [waiting, signalled] = [newTaskId(), newTaskId()];
      await own.stores.wakeups.park(waiting, 'callback');
      await own.stores.wakeups.signal(signalled);
      const again = (await own.reopen()).wakeups;
      expect(await again.signal(waiting)).toBe('callback');
      expect(await again.park(signalled, 'callback')).toEqual({ pending: true });
      await again.forget(waiting);
      expect(await again.signal(waiting)).toBeNull();
    } finally {
      await own.close();
    }
  });
}
