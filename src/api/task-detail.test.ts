import { describe, expect, it } from 'vitest';
import { aTask } from '../../test/fixtures/task.ts';
import { estimateWait, toDetail, toSummary } from './task-detail.ts';

const ended = aTask({
  status: 'COMPLETED',
  started_at: '2030-01-01T00:00:00.000Z',
  completed_at: '2030-01-01T00:01:00.000Z',
});
const stores = {
  tasks: {
    queuePosition: async () => 99,
    ownQueuePosition: async () => 3,
    list: async () => ({ items: [ended], nextToken: null }),
  },
};
const detailOf = (
  fields: Parameters<typeof aTask>[0],
  { system = 1_000, maxSessions = null as number | null } = {},
) =>
  toDetail(
    {
      stores,
      settings: { max_active_per_user: 2, max_active_system: system },
      computes: [{ type: 'local', maxSessions }],
    },
    aTask(fields),
  );

describe('a task as the API shows it', () => {
  it('lasts from the start of its session to its end', async () => {
    const times = { started_at: '2030-01-01T00:00:00.000Z', completed_at: '2030-01-01T00:01:30.500Z' };
    expect((await detailOf(times)).duration_s).toBe(90.5);
    expect((await detailOf({ ...times, completed_at: null })).duration_s).toBeNull();
    expect((await detailOf({ ...times, started_at: null })).duration_s).toBeNull();
  });

  it('has no branch yet while its pull request is not read', async () => {
    expect(toSummary(aTask({ pr_number: 7 })).branch_name).toBe('pending:pr_resolution');
    expect(toSummary(aTask({ pr_number: 7, branch_name: 'fix' })).branch_name).toBe('fix');
    expect((await detailOf({})).branch_name).toBeNull();
  });

  it('names its session and hides the rest of it', async () => {
    const detail = await detailOf({ session: { type: 'local', id: 'abc-1', ref: { pid: 7 } } });
    expect(detail.session_id).toBe('abc-1');
    expect(detail).not.toHaveProperty('session');
  });

  it('has a place in the queue only while it is queued', async () => {
    expect((await detailOf({ status: 'QUEUED' })).queue_position).toBe(99);
    expect((await detailOf({ status: 'RUNNING' })).queue_position).toBeNull();
  });
});

describe('the guess of a wait', () => {
  it('grows with the queue and shrinks with the slots', () => {
    expect(estimateWait([{ before: 0, slots: 1 }], [60])).toBe(60);
    expect(estimateWait([{ before: 3, slots: 2 }], [30, 90])).toBe(120);
  });

  it('is that of the line that moves slowest: the user’s own, the system’s, or the backend’s', async () => {
    const guess = async (limits: Parameters<typeof detailOf>[1]) =>
      (await detailOf({ status: 'QUEUED' }, limits)).estimated_wait_s;
    // Four of the user's own, two at a time, a minute each; the 96 of others run beside them.
    expect(await guess({})).toBe(120);
    expect(await guess({ system: 10 })).toBe(600);
    expect(await guess({ maxSessions: 4 })).toBe(1_500);
    expect(await guess({ maxSessions: 1 })).toBe(6_000);
  });

  it('is not made without experience', () => {
    expect(estimateWait([{ before: 3, slots: 2 }], [])).toBeNull();
  });
});
