import { afterAll, beforeAll, expect } from 'vitest';
import type { MessageStore } from '../../src/stores/message-store.ts';
import { newTaskId, type Part, type StoresHarness } from './stores.contract.ts';

/** What channels have posted (L5, L6). */
export function messageStoreContract({ create, it }: Part): void {
  let harness: StoresHarness;
  let messages: MessageStore;
  beforeAll(async () => {
    harness = await create();
    messages = harness.stores.messages;
  });
  afterAll(() => harness.close());

  const aSlot = (slot = 'terminal') => ({ taskId: newTaskId(), channel: 'slack', slot });

  it('gives a slot to the first event that asks, for good', async () => {
    const slot = aSlot();
    const both = await Promise.all(['e1', 'e2'].map((event, n) => messages.claim(slot, event, 100 + n)));
    const owners = new Set(both.map(({ event_id }) => event_id));
    expect(owners.size).toBe(1);
    const [owner = ''] = owners;
    await messages.update(slot, owner, { ref: { ts: '1.2' } });
    expect(await messages.claim(slot, owner === 'e1' ? 'e2' : 'e1', 300)).toMatchObject({
      event_id: owner,
      ref: { ts: '1.2' },
    });
  });

  it('keeps slots, channels and tasks apart', async () => {
    const slot = aSlot();
    await messages.claim(slot, 'e1', 1);
    for (const other of [{ slot: 'error' }, { channel: 'email' }, { taskId: newTaskId() }])
      expect(await messages.claim({ ...slot, ...other }, 'e2', 1)).toMatchObject({ event_id: 'e2' });
    const kept = await messages.list(slot.taskId, 'slack');
    expect(kept.map((message) => [message.slot, message.event_id])).toEqual([
      ['error', 'e2'],
      ['terminal', 'e1'],
    ]);
  });

  it('notes the first attempt that is unresolved, and the next one after it is resolved', async () => {
    const slot = aSlot();
    expect(await messages.claim(slot, 'e1', 100)).toMatchObject({ attempted_at_ms: 100, ref: null });
    expect(await messages.claim(slot, 'e1', 200)).toMatchObject({ attempted_at_ms: 100 });
    expect(await messages.update(slot, 'e1', { attempted_at_ms: null })).toBe(true);
    expect(await messages.claim(slot, 'e1', 300)).toMatchObject({ attempted_at_ms: 300 });
  });

  it('changes a slot for its event only', async () => {
    const slot = aSlot();
    await messages.claim(slot, 'e1', 1);
    expect(await messages.update(slot, 'e2', { deleted: true })).toBe(false);
    expect(await messages.update({ ...slot, slot: 'none' }, 'e1', { deleted: true })).toBe(false);
    expect(await messages.update(slot, 'e1', { ref: { a: "it's" }, deleted: true })).toBe(true);
    expect(await messages.list(slot.taskId, 'slack')).toEqual([
      {
        task_id: slot.taskId,
        channel: 'slack',
        slot: 'terminal',
        event_id: 'e1',
        attempted_at_ms: 1,
        ref: { a: "it's" },
        deleted: true,
      },
    ]);
  });

  it('frees a slot that holds nothing, for its event only', async () => {
    const slot = aSlot();
    await messages.claim(slot, 'e1', 1);
    await messages.release(slot, 'e2');
    expect(await messages.claim(slot, 'e2', 1)).toMatchObject({ event_id: 'e1' });
    await messages.release(slot, 'e1');
    expect(await messages.claim(slot, 'e2', 1)).toMatchObject({ event_id: 'e2' });
    await messages.update(slot, 'e2', { ref: { ts: '1' } });
    await messages.release(slot, 'e2');
    expect(await messages.claim(slot, 'e3', 1)).toMatchObject({ event_id: 'e2' });
  });
}
