import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { git } from '../../test/fixtures/git-repo.ts';
import { createWorld, newId, type World } from '../../test/fixtures/orchestrator.ts';
import { reconcile } from './reconcilers/reconciler.ts';

describe('the workflow of a task', () => {
  let world: World;
  const open = async (...args: Parameters<typeof createWorld>) => {
    world = await createWorld(...args);
    return world;
  };
  afterEach(() => world.close());

  it('takes a task from submit to its verified branch, with one terminal event (T2, O1)', async () => {
    const { submit, until, report, events } = await open();
    const taskId = await submit();
    await until(taskId, 'RUNNING');
    await report(taskId);
    const task = await until(taskId, 'COMPLETED');
    expect(task).toMatchObject({
      outcome: 'changes',
      head_sha: git(world.repo, 'rev-parse', task.branch_name ?? ''),
      waiting_for: null,
      base_branch: 'main',
    });
    expect(task.branch_name).toBe(`bgagent/${taskId}/add-a-greeting`);
    expect(await events(taskId)).toEqual([
      'task_created',
      'admission_granted',
      'hydration_started',
      'preflight_passed',
      'hydration_complete',
      'session_started',
      'task_completed',
    ]);
    await vi.waitFor(async () => expect(await world.compute.list()).toEqual([]), { timeout: 20_000 });
    expect(await world.deps.stores.tasks.slots()).toEqual([]);
  });

  it('does not believe a commit that the remote does not have (T6)', async () => {
    const { submit, until, report } = await open();
    const taskId = await submit();
    await until(taskId, 'RUNNING');
    await report(taskId, { head_sha: 'b'.repeat(40) });
    expect((await until(taskId, 'FAILED')).error_classification?.errorClass).toBe('OUTCOME_NOT_VERIFIED');
  });

  it('queues beyond the user’s limit and admits the next the moment a slot is free (O2)', async () => {
    const { submit, until, report, events } = await open({ max_active_per_user: 1 });
    const first = await submit();
    await until(first, 'RUNNING');
    const second = await submit();
    const third = await submit();
    await until(second, 'QUEUED', (task) => task.waiting_for !== null);
    await until(third, 'QUEUED');
    await report(first);
    await until(second, 'RUNNING');
    expect((await world.task(third)).status).toBe('QUEUED');
    expect((await events(second)).filter((type) => type === 'admission_queued')).toHaveLength(1);
    await report(second);
    await until(third, 'RUNNING');
    await report(third);
    await until(third, 'COMPLETED');
  });

  it('fails a task that waited too long for a slot (O2)', async () => {
    const { submit, until } = await open({ max_active_per_user: 1, queue_timeout_s: 1 });
    await until(await submit(), 'RUNNING');
    const second = await submit();
    await until(second, 'QUEUED');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await world.deps.waker.wake(second);
    expect((await until(second, 'FAILED')).error_classification?.errorClass).toBe('QUEUE_TIMEOUT');
  });

  it('waits, with the reason on the task, while the backend has no room', async () => {
    const { submit, until, report } = await open({}, { capacity: 1 });
    const first = await submit();
    await until(first, 'RUNNING');
    const second = await submit();
    const waiting = await until(second, 'HYDRATING', (task) => task.waiting_for !== null);
    expect(waiting.waiting_for).toContain('1 of 1');
    await report(first);
    await until(first, 'COMPLETED');
    expect((await until(second, 'RUNNING')).waiting_for).toBeNull();
  });

  it.each(['QUEUED', 'HYDRATING', 'RUNNING'] as const)('cancels a task that is %s (O6)', async (status) => {
    const { submit, until, cancel } = await open(
      { max_active_per_user: status === 'QUEUED' ? 1 : 10 },
      { capacity: status === 'HYDRATING' ? 1 : 10 },
    );
    const other = await submit();
    await until(other, 'RUNNING');
    const taskId = status === 'RUNNING' ? other : await submit();
    await until(taskId, status, (task) => status !== 'HYDRATING' || task.waiting_for !== null);
    await cancel(taskId);
    const task = await until(taskId, 'CANCELLED');
    expect(task.error_classification?.errorClass).toBe('CANCELLED_BY_USER');
    expect(world.compute.sessions.get(`${taskId}-1`)?.state.kind).not.toBe('running');
  });

  it('keeps what a runner pushed on its way out (O7)', async () => {
    const { submit, until, report, cancel } = await open();
    const taskId = await submit();
    await until(taskId, 'RUNNING');
    // It's stopped once more when it's cleaned up, and has nothing to say then.
    world.compute.before.stop = async () => {
      delete world.compute.before.stop;
      await report(taskId, { result: 'cancelled', partial: true });
    };
    await cancel(taskId);
    const task = await until(taskId, 'CANCELLED');
    expect(task).toMatchObject({
      partial: true,
      head_sha: git(world.repo, 'rev-parse', task.branch_name ?? ''),
    });
  });

  it('says what is wrong with a repository before anything starts (O1)', async () => {
    const { submit, until } = await open();
    const task = await until(await submit({ repo: join(world.folder, 'empty.git') }), 'FAILED');
    expect(task.error_classification?.errorClass).toBe('REPO_UNREACHABLE');
    expect(world.compute.sessions.size).toBe(0);
  });

  it('tries again when the repository was out of reach for a moment', async () => {
    const { submit, until } = await open();
    await rename(world.repo, `${world.repo}.away`);
    const taskId = await submit();
    await until(taskId, 'HYDRATING');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await rename(`${world.repo}.away`, world.repo);
    await until(taskId, 'RUNNING');
  });

  it('fails a task whose session ended without a word (O5)', async () => {
    const { submit, until } = await open();
    const taskId = await submit();
    await until(taskId, 'RUNNING');
    world.compute.end(`${taskId}-1`, 137);
    expect((await until(taskId, 'FAILED')).error_classification?.errorClass).toBe('SESSION_EXITED');
  });

  it('does not take one failed describe for a verdict (O5)', async () => {
    const { submit, until, report } = await open();
    const taskId = await submit();
    await until(taskId, 'RUNNING');
    let failures = 1;
    world.compute.before.describe = () => {
      if (failures-- > 0) throw new Error('throttled');
    };
    await world.deps.waker.wake(taskId);
    await vi.waitFor(() => expect(failures).toBe(0), { timeout: 20_000 });
    await report(taskId);
    await until(taskId, 'COMPLETED');
  });

  it('starts a task whose execution was never started (T5)', async () => {
    const { create, until } = await open();
    const taskId = await create();
    await reconcile(world.deps);
    await until(taskId, 'RUNNING');
  });

  it('restarts a running task whose execution is gone, once, as RUNNING (T5, K1)', async () => {
    const { submit, until, report, events } = await open();
    const taskId = await submit();
    await until(taskId, 'RUNNING');
    await world.deps.runtime.stop(`${taskId}-1`);
    await Promise.all([reconcile(world.deps), reconcile(world.deps)]);
    const task = await until(taskId, 'RUNNING', ({ session }) => session?.id === `${taskId}-2`);
    expect(task.attempt).toBe(2);
    expect(world.compute.sessions.get(`${taskId}-1`)?.state.kind).not.toBe('running');
    expect((await events(taskId)).filter((type) => type === 'task_restarted')).toHaveLength(1);
    await report(taskId);
    await until(taskId, 'COMPLETED');
    expect((await events(taskId)).filter((type) => type === 'task_completed')).toHaveLength(1);
  });

  it('gives up when the attempts are spent, and says so (K1)', async () => {
    const { submit, until, events } = await open({ start_attempts: 1 });
    const taskId = await submit();
    await until(taskId, 'RUNNING');
    await world.deps.runtime.stop(`${taskId}-1`);
    await reconcile(world.deps);
    expect((await until(taskId, 'FAILED')).error_classification?.errorClass).toBe('TASK_STRANDED');
    expect((await events(taskId)).slice(-2)).toEqual(['task_stranded', 'task_failed']);
  });

  it('keeps the workspace of a failed task for as long as the setting says', async () => {
    const { submit, until, deps, compute } = await open({ failed_workspace_keep_s: 600 });
    const taskId = await submit();
    await until(taskId, 'RUNNING');
    compute.end(`${taskId}-1`, 137);
    await until(taskId, 'FAILED');
    await deps.runtime.result(`${taskId}-1`);
    await reconcile(deps);
    expect([...compute.sessions.keys()]).toEqual([`${taskId}-1`]);
    await reconcile({ ...deps, now: () => Date.now() + 601_000 });
    expect(compute.sessions.size).toBe(0);
  });

  it('removes a task and what it left when its retention is over (T8)', async () => {
    const { submit, until, report, deps } = await open();
    const taskId = await submit();
    await until(taskId, 'RUNNING');
    await deps.blobs.put(`logs/${taskId}/1`, 'hello');
    await report(taskId);
    await until(taskId, 'COMPLETED');
    await deps.runtime.result(`${taskId}-1`);
    const webhook = { webhook_id: newId(), user_id: 'u', name: 'ci', last_used_at: null, revoked_at: null };
    await deps.stores.webhooks.create({ ...webhook, created_at: new Date().toISOString() });
    await deps.stores.webhooks.revoke(webhook.webhook_id, new Date().toISOString());
    const later = (days: number) => ({ ...deps, now: () => Date.now() + days * 86_400_000 });
    await reconcile(later(89));
    expect(await deps.stores.webhooks.get(webhook.webhook_id)).toBeDefined();
    expect(await deps.blobs.get(`logs/${taskId}/1`)).toBeDefined();
    await reconcile(later(91));
    expect(await deps.stores.webhooks.get(webhook.webhook_id)).toBeUndefined();
    expect(await deps.stores.tasks.get(taskId)).toBeUndefined();
    expect(await deps.blobs.get(`logs/${taskId}/1`)).toBeUndefined();
  });

  it('stops sessions that belong to no live task (K3)', async () => {
    const { until } = await open();
    const orphan = newId();
    await world.compute.start({
      taskId: orphan,
      attempt: 1,
      token: 't',
      readOnly: false,
      instanceType: null,
      deadlineAtMs: Date.now() + 1_000,
    });
    const wanted = await world.submit();
    await until(wanted, 'RUNNING');
    await reconcile(world.deps);
    expect([...world.compute.sessions.keys()]).toEqual([`${wanted}-1`]);
  });
});
