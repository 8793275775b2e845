import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform, type TestPlatform } from '../../fixtures/api/platform.ts';
import { request } from '../../fixtures/api/requests.ts';

let platform: TestPlatform;
let key: string;
beforeAll(async () => {
  platform = await startTestPlatform();
  key = await platform.key('octo');
});
afterAll(() => platform.close());

async function submit(body: object = {}): Promise<string> {
  const answer = await request(platform, 'POST', '/v1/tasks', {
    key,
    body: { repo: '/srv/git/hello.git', task_description: 'Add a greeting', ...body },
  });
  return answer.body.data.task_id;
}

const cancel = (taskId: string) => request(platform, 'DELETE', `/v1/tasks/${taskId}`, { key });

describe('cancel (O6)', () => {
  it('says 202 when the proof takes longer, is visible at once, and wakes the workflow', async () => {
    const taskId = await submit();
    const { status, body } = await cancel(taskId);
    expect(status).toBe(202);
    expect(body.data).toMatchObject({ task_id: taskId, status: 'SUBMITTED' });
    expect(platform.woken).toContain(taskId);
    const shown = await request(platform, 'GET', `/v1/tasks/${taskId}`, { key });
    expect(shown.body.data.cancel_requested_at).toBe(body.data.cancel_requested_at);
  });

  it('says 200 when the task is proven cancelled in time', async () => {
    const slow = await startTestPlatform({ cancelWaitMs: 5_000 });
    try {
      const own = await slow.key('octo');
      const { body } = await request(slow, 'POST', '/v1/tasks', {
        key: own,
        body: { repo: '/srv/git/hello.git', task_description: 'Add a greeting' },
      });
      slow.deps.driver.wake = async (taskId) => void (await slow.end(taskId, 'CANCELLED'));
      const answer = await request(slow, 'DELETE', `/v1/tasks/${body.data.task_id}`, { key: own });
      expect(answer.status).toBe(200);
      expect(answer.body.data).toMatchObject({ task_id: body.data.task_id, status: 'CANCELLED' });
      expect(Date.parse(answer.body.data.cancelled_at)).not.toBeNaN();
    } finally {
      await slow.close();
    }
  });

  it('asked for ten times at once is one request and one event', async () => {
    const taskId = await submit();
    const answers = await Promise.all(Array.from({ length: 10 }, () => cancel(taskId)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 202));
    const { body } = await request(platform, 'GET', `/v1/tasks/${taskId}/events`, { key });
    expect(body.data.map((event: { event_type: string }) => event.event_type)).toEqual([
      'task_created',
      'cancel_requested',
    ]);
  });

  it.each(['FAILED', 'CANCELLED'] as const)('of a task that is %s is a conflict', async (status) => {
    const taskId = await submit();
    await platform.end(taskId, status);
    const answer = await cancel(taskId);
    expect([answer.status, answer.code]).toEqual([409, 'TASK_ALREADY_TERMINAL']);
    expect(answer.body.error.message).toContain(status);
  });
});

describe('retry', () => {
  it('submits the same inputs once more', async () => {
    const taskId = await submit({ max_turns: 3, max_budget_usd: 2 });
    await platform.end(taskId);
    const { status, body } = await request(platform, 'POST', `/v1/tasks/${taskId}/retry`, { key });
    expect(status).toBe(201);
    expect(body.data).toMatchObject({
      retry_of: taskId,
      status: 'SUBMITTED',
      task_description: 'Add a greeting',
      max_turns: 3,
      max_budget_usd: 2,
      attempt: 1,
      branch_name: null,
      error_message: null,
    });
    expect(platform.started).toContain(body.data.task_id);
  });

  it('runs the command that the repository has now', async () => {
    const repo = '/srv/git/mended.git';
    const admin = await platform.key('root', ['admin']);
    const set = (agent_command: string | null) =>
      request(platform, 'PUT', `/v1/repos/${encodeURIComponent(repo)}`, {
        key: admin,
        body: { agent_command },
      });
    await set('broken');
    const taskId = await submit({ repo });
    await platform.end(taskId);
    const again = async () =>
      (await request(platform, 'POST', `/v1/tasks/${taskId}/retry`, { key })).body.data;
    await set('mended');
    expect((await again()).agent_command).toBe('mended');
    await set(null);
    expect((await again()).agent_command).toBe('true');
  });

  it('is for ended tasks only', async () => {
    const { status, code } = await request(platform, 'POST', `/v1/tasks/${await submit()}/retry`, { key });
    expect([status, code]).toEqual([409, 'TASK_NOT_TERMINAL']);
  });

  it('is idempotent by key', async () => {
    const taskId = await submit();
    await platform.end(taskId);
    const headers = { 'Idempotency-Key': 'retry-once' };
    const first = await request(platform, 'POST', `/v1/tasks/${taskId}/retry`, { key, headers });
    const again = await request(platform, 'POST', `/v1/tasks/${taskId}/retry`, { key, headers });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body.data.task_id).toBe(first.body.data.task_id);
  });

  it('is refused when the repository was removed meanwhile, but for a repeat by key', async () => {
    const repo = '/srv/git/gone.git';
    const taskId = await submit({ repo });
    await platform.end(taskId);
    const again = (headers: Record<string, string> = {}) =>
      request(platform, 'POST', `/v1/tasks/${taskId}/retry`, { key, headers });
    const first = await again({ 'Idempotency-Key': 'before-removal' });
    const admin = await platform.key('root', ['admin']);
    await request(platform, 'DELETE', `/v1/repos/${encodeURIComponent(repo)}`, { key: admin });
    const { status, code } = await again();
    expect([status, code]).toEqual([422, 'REPO_NOT_ONBOARDED']);
    const repeated = await again({ 'Idempotency-Key': 'before-removal' });
    expect([repeated.status, repeated.body.data.task_id]).toEqual([200, first.body.data.task_id]);
  });
});

describe('a queued task', () => {
  it('shows its place in the queue', async () => {
    const { tasks } = platform.deps.stores;
    const [first, second] = [await submit(), await submit()];
    for (const taskId of [first, second])
      await tasks.transition(taskId, { from: 'SUBMITTED', to: 'QUEUED' }, [
        { type: 'admission_queued', metadata: { reason: 'no slot' } },
      ]);
    const place = async (taskId: string) =>
      (await request(platform, 'GET', `/v1/tasks/${taskId}`, { key })).body.data.queue_position;
    expect([await place(first), await place(second)]).toEqual([0, 1]);
    const admin = await platform.key('root', ['admin']);
    const fleet = await request(platform, 'GET', '/v1/fleet', { key: admin });
    expect(fleet.body.data.queue.length).toBeGreaterThanOrEqual(2);
  });
});

describe('what a task has not left yet', () => {
  it.each(['logs', 'diff'])('its %s: is not available', async (what) => {
    const { status, code } = await request(platform, 'GET', `/v1/tasks/${await submit()}/${what}`, { key });
    expect([status, code]).toEqual([404, 'TRACE_NOT_AVAILABLE']);
  });
});

describe('pending decisions', () => {
  it('are none', async () => {
    expect((await request(platform, 'GET', '/v1/pending', { key })).body).toEqual({ data: { pending: [] } });
  });
});
