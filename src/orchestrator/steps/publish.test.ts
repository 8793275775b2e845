import { afterEach, describe, expect, it } from 'vitest';
import { createFakeForge, type FakeForge } from '../../../test/fakes/forge.ts';
import { git } from '../../../test/fixtures/git-repo.ts';
import { createWorld, type World } from '../../../test/fixtures/orchestrator.ts';
import { aRepo } from '../../../test/fixtures/repo.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { Task } from '../../task/task.ts';
import type { CheckResult } from '../../task/verification.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { finalize } from './finalize.ts';
import { publish } from './publish.ts';

let world: World;
let forge: FakeForge;
afterEach(() => world.close());

async function open(...[settings]: Parameters<typeof createWorld>): Promise<World> {
  world = await createWorld(settings, {
    forgeIn: (folder) => {
      forge = createFakeForge({ folder });
      return forge;
    },
  });
  return world;
}

/** A running task on `octo/hello`. */
async function running(fields: Partial<Task> = {}): Promise<string> {
  const taskId = await world.submit({ repo: 'octo/hello', ...fields });
  await world.until(taskId, 'RUNNING');
  return taskId;
}

const workflow = (id: string): Partial<Task> => ({
  resolved_workflow: { id, version: '1.0.0' },
  task_description: null,
});

/** An open pull request from `fix`, one commit ahead of `main`. */
function openPullRequest(fields: Partial<Parameters<FakeForge['open']>[0]> = {}): number {
  const tree = git(world.repo, 'rev-parse', 'main^{tree}');
  const commit = git(world.repo, 'commit-tree', tree, '-p', 'main', '-m', 'Fix it');
  git(world.repo, 'update-ref', 'refs/heads/fix', commit);
  return forge.open({ branch: 'fix', ...fields }).number;
}
const tipOf = (branch: string): string => git(world.repo, 'rev-parse', branch);

const regressed: CheckResult = {
  check: 'build',
  before: 'passed',
  after: 'failed',
  regressed: true,
  reason: 'exit code 1',
  output_tail: 'boom',
};

describe('a task that changed something', () => {
  it('opens a pull request with what, why, and what it took (R5)', async () => {
    const { deps, until, report, events } = await open({ public_url: 'https://agents.example.com/' });
    await deps.stores.repos.put(
      aRepo({ pr_labels: ['bgagent', 'missing'], pr_reviewers: ['octo', 'octo/core'] }),
    );
    forge.issues.set(12, { title: 'Say hello', body: 'Please.' });
    const taskId = await running({ issue_number: 12, task_description: null });
    await report(taskId, {
      summary: '# Greet people\n\nIt says hello to @octo. Fixes #99.',
      cost_usd: 0.256,
      turns_completed: 7,
    });
    const task = await until(taskId, 'COMPLETED');
    expect(task).toMatchObject({
      outcome: 'changes',
      pr_number: 1,
      pr_url: expect.stringMatching(/\/pull\/1$/),
    });
    expect(await events(taskId)).toEqual(expect.arrayContaining(['pr_created', 'task_completed']));
    const [opened] = forge.pullRequests.values();
    expect(opened).toMatchObject({
      title: 'Greet people',
      branch: task.branch_name,
      base: 'main',
      draft: false,
      labels: ['bgagent', 'missing'],
      reviewers: ['octo', 'octo/core'],
    });
    expect(task.branch_name).toMatch(/say-hello$/);
    expect(opened?.body).toContain('Resolves #12.');
    expect(opened?.body).toContain(`[\`${taskId}\`](https://agents.example.com/tasks/${taskId}) of user-1`);
    expect(opened?.body).toContain('$0.26 · 7 turns');
    // The agent calls nobody and closes nothing.
    expect(opened?.body).not.toMatch(/@octo|Fixes #99/);
  });

  it('opens a draft when a check got worse, and shows it (T6)', async () => {
    const { until, report } = await open();
    const taskId = await running();
    await report(taskId, { verification: [regressed], build_passed: false });
    expect(await until(taskId, 'COMPLETED')).toMatchObject({ build_passed: false });
    const [opened] = forge.pullRequests.values();
    expect(opened).toMatchObject({ draft: true, title: 'Add a greeting' });
    expect(opened?.body).toContain('| build | ✅ passed | ❌ failed | **got worse**: exit code 1 |');
    expect(opened?.body).toContain('boom');
  });

  it('opens none when there was nothing to do, or the commit is not there', async () => {
    const { until, report } = await open();
    const idle = await running();
    await report(idle, { result: 'no_changes', outcome: 'no_changes', head_sha: null });
    await until(idle, 'COMPLETED');
    const lying = await running();
    await report(lying, { head_sha: 'b'.repeat(40) });
    expect((await until(lying, 'FAILED')).error_classification?.errorClass).toBe('OUTCOME_NOT_VERIFIED');
    expect(forge.pullRequests.size).toBe(0);
  });

  const CRASHES: [name: string, breaks: (deps: OrchestratorDeps) => OrchestratorDeps][] = [
    ['before the pull request is opened', (deps) => on(deps, 'before', 'openPullRequest')],
    ['after it is opened', (deps) => on(deps, 'after', 'openPullRequest')],
    ['before it is recorded', (deps) => onTasks(deps, 'update', 'before')],
    ['after it is recorded', (deps) => onTasks(deps, 'update', 'after')],
    ['before the end is written', (deps) => onTasks(deps, 'transition', 'before')],
  ];
  it.each(CRASHES)('has one pull request after a crash %s', async (_name, breaks) => {
    const { deps, task, events, leaveReport } = await open();
    const taskId = await running();
    await leaveReport(taskId);
    const claim = { taskId, attempt: 1 };
    expect(await finalize(deps, claim, null)).toEqual({ kind: 'publish', stop: null });
    await expect(publish(breaks(deps), claim, null)).rejects.toThrow('crash');
    forge.on = {};
    await publish(deps, claim, null);
    expect(forge.pullRequests.size).toBe(1);
    expect(await task(taskId)).toMatchObject({ status: 'COMPLETED', pr_number: 1 });
    const told = await events(taskId);
    expect(told.filter((type) => type === 'pr_created')).toHaveLength(1);
    expect(told.at(-1)).toBe('task_completed');
  });

  it('waits as long as the forge asks for, whoever wakes it, and goes on', async () => {
    const { deps, until, report } = await open();
    const taskId = await running();
    const tries: number[] = [];
    forge.on.before = (method) => {
      if (method !== 'openPullRequest') return;
      tries.push(Date.now());
      if (tries.length === 1) throw new BgAgentError('GITHUB_RATE_LIMITED', 'wait', { retryAfterSeconds: 3 });
    };
    await report(taskId);
    await until(taskId, 'FINALIZING', () => tries.length === 1);
    await deps.waker.wake(taskId);
    await until(taskId, 'COMPLETED');
    expect(tries).toHaveLength(2);
    expect((tries[1] ?? 0) - (tries[0] ?? 0)).toBeGreaterThanOrEqual(3_000);
  });

  it('keeps its branch, and says why, when the forge refuses for good', async () => {
    const { until, report } = await open();
    const taskId = await running();
    forge.on.before = (method) => {
      if (method === 'openPullRequest')
        throw new BgAgentError(
          'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
          'the token lacks pull_requests: write',
        );
    };
    await report(taskId, { cost_usd: 1 });
    const task = await until(taskId, 'FAILED');
    expect(task).toMatchObject({
      error_classification: { errorClass: 'INSUFFICIENT_GITHUB_REPO_PERMISSIONS' },
      head_sha: git(world.repo, 'rev-parse', 'main'),
      partial: false,
      cost_usd: 1,
      pr_url: null,
    });
    expect(tipOf(task.branch_name ?? '')).toBe(task.head_sha);
  });

  it('is cancelled while it waits for the forge, and keeps its branch (O6)', async () => {
    const { until, report, cancel } = await open();
    const taskId = await running();
    let tries = 0;
    forge.on.before = (method) => {
      if (method !== 'openPullRequest') return;
      tries += 1;
      throw new BgAgentError('GITHUB_RATE_LIMITED', 'wait', { retryAfterSeconds: 3_000 });
    };
    await report(taskId);
    await until(taskId, 'FINALIZING', () => tries === 1);
    await cancel(taskId);
    expect(await until(taskId, 'CANCELLED')).toMatchObject({ head_sha: expect.any(String), partial: false });
  });

  it('does not hide that people closed its pull request meanwhile', async () => {
    const { deps, leaveReport, task } = await open();
    const taskId = await running();
    await leaveReport(taskId);
    const claim = { taskId, attempt: 1 };
    await finalize(deps, claim, null);
    forge.open({ branch: (await task(taskId)).branch_name ?? '', state: 'closed' });
    await expect(publish(deps, claim, null)).rejects.toMatchObject({ code: 'PR_NOT_FOUND_OR_CLOSED' });
  });
});

describe('a task on a pull request', () => {
  it('answers in it, and its commits are checked on the branch (T6)', async () => {
    const { until, leaveReport, deps, events } = await open();
    const number = openPullRequest();
    const taskId = await running({ ...workflow('coding/pr-iteration-v1'), pr_number: number });
    expect(await world.task(taskId)).toMatchObject({
      branch_name: 'fix',
      base_branch: 'main',
      base_sha: tipOf('fix'),
      pr_url: expect.stringMatching(/pull\/1$/),
    });
    await leaveReport(taskId, { summary: 'As asked.', rebased_onto: 'c'.repeat(40) });
    await deps.waker.wake(taskId);
    expect(await until(taskId, 'COMPLETED')).toMatchObject({
      outcome: 'changes',
      branch_name: 'fix',
      pr_number: 1,
    });
    expect(forge.pullRequests.size).toBe(1);
    expect(forge.comments.get(`1 ${taskId}`)).toMatch(
      /^### Pushed [0-9a-f]{40}\n\nc{40} was pushed meanwhile/,
    );
    expect((await events(taskId)).slice(-2)).toEqual(['pr_updated', 'task_completed']);
  });

  it('says so when nothing was to be changed', async () => {
    const { until, report } = await open();
    const number = openPullRequest();
    const taskId = await running({ ...workflow('coding/pr-iteration-v1'), pr_number: number });
    const summary = 'The reviewer is wrong: it is tested.';
    await report(taskId, { result: 'no_changes', outcome: 'no_changes', head_sha: null, summary });
    expect(await until(taskId, 'COMPLETED')).toMatchObject({ outcome: 'no_changes', branch_name: 'fix' });
    expect(forge.comments.get(`1 ${taskId}`)).toContain(summary);
  });

  it('keeps the work where it is when the pull request was closed meanwhile', async () => {
    const { until, report } = await open();
    const number = openPullRequest();
    const taskId = await running({ ...workflow('coding/pr-iteration-v1'), pr_number: number });
    const found = forge.pullRequests.get(number);
    if (found) found.state = 'merged';
    await report(taskId);
    expect(await until(taskId, 'FAILED')).toMatchObject({
      error_classification: { errorClass: 'PR_NOT_FOUND_OR_CLOSED' },
      branch_name: 'fix',
    });
  });

  it('names the branch that its work was kept on', async () => {
    const { until, report } = await open();
    const number = openPullRequest();
    const taskId = await running({ ...workflow('coding/pr-iteration-v1'), pr_number: number });
    await report(taskId, {
      result: 'failed',
      outcome: null,
      partial: true,
      branch_name: `bgagent/${taskId}/fix-it`,
      error: { code: 'PR_HEAD_MOVED', message: 'it moved' },
    });
    expect(await until(taskId, 'FAILED')).toMatchObject({
      error_classification: { errorClass: 'PR_HEAD_MOVED', retryable: true },
      branch_name: `bgagent/${taskId}/fix-it`,
    });
    expect(forge.comments.size).toBe(0);
  });

  it.each([
    ['is closed', { state: 'closed' }, 'coding/pr-iteration-v1', 'PR_NOT_FOUND_OR_CLOSED'],
    ['is from a fork', { fork: true }, 'coding/pr-iteration-v1', 'PR_FROM_FORK'],
    ['is closed, for a review', { state: 'merged' }, 'coding/pr-review-v1', 'PR_NOT_FOUND_OR_CLOSED'],
  ] as const)('that %s is refused before any machine is paid for (O1)', async (_what, fields, id, code) => {
    const { until, submit, compute } = await open();
    const number = openPullRequest(fields);
    const taskId = await submit({ repo: 'octo/hello', ...workflow(id), pr_number: number });
    expect((await until(taskId, 'FAILED')).error_classification?.errorClass).toBe(code);
    expect(compute.sessions.size).toBe(0);
  });
});

describe('a task that reviews', () => {
  const review = {
    result: 'no_changes',
    outcome: 'review',
    head_sha: null,
    review: {
      summary: 'Fine, @octo.',
      comments: [{ path: 'README.md', line: 1, body: 'Typo, `@decorated`. Closes #1' }],
    },
  } as const;

  it('posts one review with its comments, whatever crashes (T6)', async () => {
    const { deps, leaveReport, task, events } = await open();
    const number = openPullRequest({ fork: true });
    const head = tipOf('fix');
    const taskId = await running({ ...workflow('coding/pr-review-v1'), pr_number: number });
    await leaveReport(
      taskId,
      structuredClone({ ...review, review: { ...review.review, comments: [...review.review.comments] } }),
    );
    const claim = { taskId, attempt: 1 };
    await finalize(deps, claim, null);
    await expect(publish(on(deps, 'after', 'postReview'), claim, null)).rejects.toThrow('crash');
    forge.on = {};
    await publish(deps, claim, null);
    expect(await task(taskId)).toMatchObject({ status: 'COMPLETED', outcome: 'review', branch_name: 'fix' });
    expect(forge.reviews.size).toBe(1);
    const posted = forge.reviews.get(`1 ${taskId}`);
    expect(posted).toMatchObject({ commitSha: head });
    expect(posted?.body).toMatch(/^Fine, @\u200bocto\./);
    expect(posted?.comments).toEqual([
      { path: 'README.md', line: 1, body: 'Typo, `@decorated`. Closes\u200b \u200b#1' },
    ]);
    expect((await events(taskId)).slice(-2)).toEqual(['review_posted', 'task_completed']);
  });
});

/** A forge that dies at this point. */
function on(deps: OrchestratorDeps, when: 'before' | 'after', method: string): OrchestratorDeps {
  forge.on[when] = (called) => {
    if (called === method) throw new Error('crash');
  };
  return deps;
}

/** Stores that die at this point. */
function onTasks(
  deps: OrchestratorDeps,
  method: 'update' | 'transition',
  when: 'before' | 'after',
): OrchestratorDeps {
  const { tasks } = deps.stores;
  const dying: OrchestratorDeps['stores']['tasks'] = {
    ...tasks,
    async update(...args) {
      if (method === 'update' && when === 'before') throw new Error('crash');
      const result = await tasks.update(...args);
      if (method === 'update') throw new Error('crash');
      return result;
    },
    async transition(...args) {
      if (method === 'transition') throw new Error('crash');
      return tasks.transition(...args);
    },
  };
  return { ...deps, stores: { ...deps.stores, tasks: dying } };
}
