import { describe, expect, it } from 'vitest';
import { aTask } from '../../test/fixtures/task.ts';
import { estimateWait, toDetail, toSummary } from './task-detail.ts';

const stores = {
  tasks: { queuePosition: async () => 2, list: async () => ({ items: [], nextToken: null }) },
};
const detailOf = (fields: Parameters<typeof aTask>[0]) =>
  toDetail({ stores, settings: { max_active_per_user: 2 } }, aTask(fields));

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
    expect((await detailOf({ status: 'QUEUED' })).queue_position).toBe(2);
    expect((await detailOf({ status: 'RUNNING' })).queue_position).toBeNull();
  });
});

describe('the guess of a wait', () => {
  it('grows with the queue and shrinks with the slots', () => {
    expect(estimateWait(0, 1, [60])).toBe(60);
    expect(estimateWait(3, 2, [30, 90])).toBe(120);
  });

  it('is not made without experience', () => {
    expect(estimateWait(3, 2, [])).toBeNull();
  });
});
