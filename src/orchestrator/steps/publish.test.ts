import { afterEach, describe, expect, it, vi } from 'vitest';
import { git } from '../../../test/fixtures/git-repo.ts';
import {
  createGitHubWorld,
  type GitHubWorld,
  type PullRequest,
} from '../../../test/fixtures/github-world.ts';
import { aRepo } from '../../../test/fixtures/repo.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { Task } from '../../task/task.ts';
import type { CheckResult } from '../../task/verification.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { reconcile } from '../reconcilers/reconciler.ts';
import { finalize } from './finalize.ts';
import { publish } from './publish.ts';

let world: GitHubWorld;
afterEach(() => world.close());

async function open(...settings: Parameters<typeof createGitHubWorld>): Promise<GitHubWorld> {
  world = await createGitHubWorld(...settings);
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
const openPullRequest = (): PullRequest =>
  world.github.addPull(world.hello, { branch: 'fix', files: { 'fix.txt': 'a fix\n' } });
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
    await deps.stores.repos.put(aRepo({ pr_labels: ['bgagent'], pr_reviewers: ['mona', 'stranger'] }));
    const issue = world.github.addIssue(world.hello, { title: 'Say hello' });
    const taskId = await running({ issue_number: issue.number, task_description: null });
    await report(taskId, {
      summary: '# Greet people\n\nIt says hello to @octo. Fixes #99.',
      cost_usd: 0.256,
      turns_completed: 7,
    });
    const task = await until(taskId, 'COMPLETED');
    expect(task).toMatchObject({
      outcome: 'changes',
      pr_number: 2,
      pr_url: expect.stringMatching(/\/pull\/2$/),
    });
    expect(await events(taskId)).toEqual(expect.arrayContaining(['pr_created', 'task_completed']));
    const [opened] = world.pulls();
    expect(opened).toMatchObject({
      title: 'Greet people',
      labels: ['bgagent'],
      pull: { headBranch: task.branch_name, base: 'main', draft: false, reviewers: ['mona'] },
    });
    const created = (await deps.stores.events.list(taskId, { limit: 100 })).items.find(
      ({ event_type }) => event_type === 'pr_created',
    );
    expect(created?.metadata.warnings).toEqual([expect.stringContaining('stranger')]);
    expect(task.branch_name).toMatch(/say-hello$/);
    expect(opened?.body).toContain(`Resolves #${issue.number}.`);
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
    const [opened] = world.pulls();
    expect(opened).toMatchObject({ title: 'Add a greeting', pull: { draft: true } });
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
    expect(world.pulls()).toEqual([]);
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
    recover();
    await publish(deps, claim, null);
    expect(world.pulls()).toHaveLength(1);
    expect(await task(taskId)).toMatchObject({ status: 'COMPLETED', pr_number: 1, outcome: 'changes' });
    const told = await events(taskId);
    expect(told.filter((type) => type === 'pr_created')).toHaveLength(1);
    expect(told.at(-1)).toBe('task_completed');
  });

  it('waits as long as the forge asks for, whoever wakes it, and goes on', async () => {
    const { deps, until, report } = await open();
    const taskId = await running();
    const tries: number[] = [];
    world.on.before = (method) => {
      if (method !== 'openPullRequest') return;
      tries.push(Date.now());
      if (tries.length === 1) throw new BgAgentError('GITHUB_RATE_LIMITED', 'wait', { retryAfterSeconds: 3 });
    };
    await report(taskId);
    await vi.waitFor(() => expect(tries).not.toEqual([]), { timeout: 15_000, interval: 10 });
    await deps.waker.wake(taskId);
    await until(taskId, 'COMPLETED');
    expect(tries).toHaveLength(2);
    expect((tries[1] ?? 0) - (tries[0] ?? 0)).toBeGreaterThanOrEqual(3_000);
  });

  it('keeps its branch, and says why, when the forge refuses for good', async () => {
    const { until, report } = await open();
    const taskId = await running();
    world.on.before = (method) => {
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
      head_sha: expect.any(String),
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
    world.on.before = (method) => {
      if (method !== 'openPullRequest') return;
      tries += 1;
      throw new BgAgentError('GITHUB_RATE_LIMITED', 'wait', { retryAfterSeconds: 3_000 });
    };
    await report(taskId);
    await until(taskId, 'FINALIZING', () => tries === 1);
    await cancel(taskId);
    expect(await until(taskId, 'CANCELLED')).toMatchObject({ head_sha: expect.any(String), partial: false });
  });

  it('is published by the next attempt when the first one died at its end; the work is not done again', async () => {
    const { deps, leaveReport, until, compute } = await open();
    const taskId = await running();
    await leaveReport(taskId, { summary: '# Say hello' });
    await finalize(deps, { taskId, attempt: 1 }, null);
    await deps.runtime.stop(`${taskId}-1`);
    await reconcile(deps);
    const task = await until(taskId, 'COMPLETED');
    expect(task).toMatchObject({ attempt: 2, pr_number: 1, outcome: 'changes' });
    expect(world.pulls()).toMatchObject([{ title: 'Say hello' }]);
    expect([...compute.sessions.values()].map(({ starts }) => starts)).not.toContain(2);
    expect(compute.sessions.has(`${taskId}-2`)).toBe(false);
  });

  it('does not hide that people closed its pull request meanwhile', async () => {
    const { deps, leaveReport } = await open();
    const taskId = await running();
    await leaveReport(taskId);
    const claim = { taskId, attempt: 1 };
    await finalize(deps, claim, null);
    await expect(publish(onTasks(deps, 'update', 'before'), claim, null)).rejects.toThrow('crash');
    for (const pull of world.pulls()) pull.state = 'closed';
    await expect(publish(deps, claim, null)).rejects.toMatchObject({ code: 'PR_NOT_FOUND_OR_CLOSED' });
  });
});

describe('a task on a pull request', () => {
  it('answers in it, and its commits are checked on the branch (T6)', async () => {
    const { until, leaveReport, deps, events } = await open();
    const pull = openPullRequest();
    const { number } = pull;
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
    expect(world.pulls()).toHaveLength(1);
    expect(pull.comments.map(({ body }) => body).join()).toMatch(
      /^### Pushed [0-9a-f]{40}\n\nc{40} was pushed meanwhile/,
    );
    expect((await events(taskId)).slice(-2)).toEqual(['pr_updated', 'task_completed']);
  });

  it('says so when nothing was to be changed', async () => {
    const { until, report } = await open();
    const pull = openPullRequest();
    const { number } = pull;
    const taskId = await running({ ...workflow('coding/pr-iteration-v1'), pr_number: number });
    const summary = 'The reviewer is wrong: it is tested.';
    await report(taskId, { result: 'no_changes', outcome: 'no_changes', head_sha: null, summary });
    expect(await until(taskId, 'COMPLETED')).toMatchObject({ outcome: 'no_changes', branch_name: 'fix' });
    expect(pull.comments.map(({ body }) => body).join()).toContain(summary);
  });

  it('keeps the work where it is when the pull request was closed meanwhile', async () => {
    const { until, report } = await open();
    const pull = openPullRequest();
    const { number } = pull;
    const taskId = await running({ ...workflow('coding/pr-iteration-v1'), pr_number: number });
    Object.assign(pull, { state: 'closed' });
    await report(taskId);
    expect(await until(taskId, 'FAILED')).toMatchObject({
      error_classification: { errorClass: 'PR_NOT_FOUND_OR_CLOSED' },
      branch_name: 'fix',
    });
  });

  it('names the branch that its work was kept on', async () => {
    const { until, report } = await open();
    const pull = openPullRequest();
    const { number } = pull;
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
    expect(pull.comments).toEqual([]);
  });

  it.each([
    ['is closed', 'coding/pr-iteration-v1', 'PR_NOT_FOUND_OR_CLOSED'],
    ['is from a fork', 'coding/pr-iteration-v1', 'PR_FROM_FORK'],
    ['is closed, for a review', 'coding/pr-review-v1', 'PR_NOT_FOUND_OR_CLOSED'],
  ] as const)('that %s is refused before any machine is paid for (O1)', async (what, id, code) => {
    const { until, submit, compute } = await open();
    const pull = what === 'is from a fork' ? fromFork() : openPullRequest();
    if (what !== 'is from a fork') pull.state = 'closed';
    const taskId = await submit({ repo: 'octo/hello', ...workflow(id), pr_number: pull.number });
    expect((await until(taskId, 'FAILED')).error_classification?.errorClass).toBe(code);
    expect(compute.sessions.size).toBe(0);
  });
});

describe('a task that reviews', () => {
  it('posts one review with its comments, whatever crashes (T6)', async () => {
    const { deps, leaveReport, task, events } = await open();
    const issue = fromFork();
    const head = issue.pull.headSha;
    const taskId = await running({ ...workflow('coding/pr-review-v1'), pr_number: issue.number });
    await leaveReport(taskId, {
      result: 'no_changes',
      outcome: 'review',
      head_sha: null,
      review: {
        summary: 'Fine, @octo.',
        comments: [{ path: 'fix.txt', line: 1, body: 'Typo, `@decorated`. Closes #1' }],
      },
    });
    const claim = { taskId, attempt: 1 };
    await finalize(deps, claim, null);
    await expect(publish(on(deps, 'after', 'postReview'), claim, null)).rejects.toThrow('crash');
    recover();
    await publish(deps, claim, null);
    expect(await task(taskId)).toMatchObject({
      status: 'COMPLETED',
      outcome: 'review',
      base_sha: head,
      branch_name: 'fix',
    });
    const { reviews, threads } = issue.pull;
    expect(reviews).toMatchObject([
      { state: 'COMMENTED', commitId: head, body: expect.stringMatching(/^Fine, @\u200bocto\./) },
    ]);
    expect(threads.flatMap(({ comments }) => comments.map(({ body }) => body))).toEqual([
      'Typo, `@decorated`. Closes\u200b \u200b#1',
    ]);
    expect((await events(taskId)).slice(-2)).toEqual(['review_posted', 'task_completed']);
  });
});

/** A pull request whose branch nobody here may push to. */
function fromFork(): PullRequest {
  const { github, hello } = world;
  const fork = github.fork(hello, 'mallory');
  return github.addPull(hello, { branch: 'fix', files: { 'fix.txt': 'a fix\n' }, from: fork });
}

/** A forge that dies at this point. */
function on(deps: OrchestratorDeps, when: 'before' | 'after', method: string): OrchestratorDeps {
  world.on[when] = (called) => {
    if (called === method) throw new Error('crash');
  };
  return deps;
}

const recover = (): void => {
  delete world.on.before;
  delete world.on.after;
};

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
