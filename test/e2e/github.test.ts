import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { TaskDetail } from '../../src/api/client.ts';
import { runCli } from '../../src/cli/run.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import { type GitHubFake, startGitHub } from '../fakes/github/github.ts';
import type { Issue, Pull, Repo } from '../fakes/github/world.ts';
import { git } from '../fixtures/git-repo.ts';
import { type RunningPlatform, startUp } from './platform.ts';

/** From an issue to a pull request and on, as a person does it, against a GitHub on loopback with real git behind it. */

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bgagent-github-e2e-')));
const dataDir = join(folder, 'data');
let github: GitHubFake;
let platform: RunningPlatform;
let hello: Repo;
let token: string;

beforeAll(async () => {
  github = await startGitHub();
  hello = github.addRepo('octo/hello', {
    files: { 'README.md': '# Hello\n', 'greet.txt': 'hallo\n' },
    collaborators: { mona: 'write' },
  });
  token = github.addToken();
  platform = await start();
  await bgagent('repo', 'add', 'octo/hello', '--agent-command', 'true', '--pr-reviewers', 'mona');
});
afterEach(() => expect(github.takeViolations()).toEqual([]));
afterAll(async () => {
  await platform.end('SIGTERM');
  await github.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const start = (): Promise<RunningPlatform> =>
  startUp(dataDir, {
    BGAGENT_SANDBOX: 'off',
    BGAGENT_GITHUB_API_URL: github.apiUrl,
    BGAGENT_SECRET_GITHUB_TOKEN: token,
    BGAGENT_CANCEL_GRACE_S: '1',
  });

/** Runs a command line in this process. */
async function bgagent(...args: string[]): Promise<{ exit: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const exit = await runCli({
    args,
    environment: async () => readEnvironment({ BGAGENT_DATA_DIR: dataDir }),
    stdout: { write: (text) => void out.push(text) },
    stderr: { write: (text) => void err.push(text) },
    signal: new AbortController().signal,
    now: Date.now,
    version: '0.0.0',
  });
  return { exit, out: out.join(''), err: err.join('') };
}

/** Submits with what the agent is to do, and waits for the end. */
async function submit(agent: string, ...args: string[]): Promise<{ exit: number; task: TaskDetail }> {
  const set = await bgagent('repo', 'set', 'octo/hello', '--agent-command', agent);
  if (set.exit !== 0) throw new Error(set.err);
  const ran = await bgagent('submit', '--repo', 'octo/hello', ...args, '--wait', '--output', 'json');
  const last = ran.out.trim().split('\n').at(-1) ?? '';
  if (!last.includes('task_id')) throw new Error(`exit ${ran.exit}: ${ran.out}${ran.err}`);
  return { exit: ran.exit, task: JSON.parse(last) };
}

const pullOf = (number: number): Issue & { pull: Pull } => {
  const issue = hello.issues.get(number);
  if (!issue?.pull) throw new Error(`no pull request ${number}`);
  return { ...issue, pull: issue.pull };
};
const pulls = (): Issue[] => [...hello.issues.values()].filter(({ pull }) => pull !== null);
const show = (branch: string, file: string): string => git(hello.gitDir, 'show', `${branch}:${file}`);

describe('bgagent submit', { timeout: 120_000 }, () => {
  it('--issue opens a pull request, and --pr moves the same one', async () => {
    const issue = github.addIssue(hello, { title: 'Greet in English', body: 'It says hallo.' });
    github.comment(issue, 'mona', 'Say hello instead.');
    const first = await submit(
      'cp "$BGAGENT_PROMPT_FILE" seen.txt; echo hello > greet.txt; printf "# Say hello\\n\\nAs asked." > "$BGAGENT_SUMMARY_FILE"',
      '--issue',
      String(issue.number),
    );
    expect(first).toMatchObject({ exit: 0, task: { status: 'COMPLETED', outcome: 'changes' } });
    const { pr_number, pr_url, head_sha, branch_name } = first.task;
    expect(show(branch_name ?? '', 'seen.txt')).toMatch(/It says hallo\.[\s\S]*Say hello instead\./);
    const opened = pullOf(pr_number ?? 0);
    expect(opened).toMatchObject({ title: 'Say hello', pull: { reviewers: ['mona'], base: 'main' } });
    expect(opened.body).toContain(`Resolves #${issue.number}.`);
    expect(github.head(hello, branch_name ?? '')).toBe(head_sha);
    const status = await bgagent('status', first.task.task_id);
    expect(status.out).toContain(pr_url);

    opened.pull.reviews.push({
      id: 1,
      author: 'mona',
      body: 'Please greet politely.',
      createdAt: '2030-01-01T00:00:00Z',
      state: 'CHANGES_REQUESTED',
      commitId: head_sha ?? '',
    });
    const second = await submit(
      'cp "$BGAGENT_PROMPT_FILE" seen.txt; echo good day > greet.txt',
      '--pr',
      String(pr_number),
    );
    expect(second).toMatchObject({ exit: 0, task: { status: 'COMPLETED', pr_number, pr_url, branch_name } });
    expect(show(branch_name ?? '', 'seen.txt')).toContain('Please greet politely.');
    expect(git(hello.gitDir, 'rev-parse', `${branch_name}^`)).toBe(head_sha);
    expect(pullOf(pr_number ?? 0).comments.map(({ body }) => body)).toEqual([
      expect.stringContaining(`### Pushed ${second.task.head_sha}`),
    ]);
    expect(pulls()).toHaveLength(1);
  });

  it('--review-pr posts one review with comments on lines, also for a fork', async () => {
    const fork = github.fork(hello, 'mallory');
    const pull = github.addPull(hello, { branch: 'patch', files: { 'new.txt': 'one\ntwo\n' }, from: fork });
    const { exit, task } = await submit(
      `git diff origin/main...HEAD --stat >&2 || exit 1; cat > "$BGAGENT_REVIEW_FILE" <<'END'
{"summary": "One remark.", "comments": [{"path": "new.txt", "line": 2, "body": "Why two?"}]}
END`,
      '--review-pr',
      String(pull.number),
    );
    expect({ exit, task }).toMatchObject({ exit: 0, task: { outcome: 'review', head_sha: null } });
    expect(pull.pull.reviews.map(({ body }) => body)).toEqual([expect.stringContaining('One remark.')]);
    expect(pull.pull.threads).toMatchObject([{ path: 'new.txt', line: 2, comments: [{ body: 'Why two?' }] }]);
    expect(github.head(fork, 'patch')).toBe(pull.pull.headSha);
  });

  it('never forces over a person who pushed meanwhile', async () => {
    const pull = github.addPull(hello, { branch: 'shared', files: { 'greet.txt': 'servus\n' } });
    const theirs = github.commit(hello, 'later', { 'greet.txt': 'moin\n' });
    git(hello.gitDir, 'update-ref', 'refs/heads/waiting', theirs);
    const onTop = git(hello.gitDir, 'commit-tree', `${theirs}^{tree}`, '-p', 'shared', '-m', 'Theirs');
    const { exit, task } = await submit(
      `echo ahoi > greet.txt; git --git-dir=${hello.gitDir} update-ref refs/heads/shared ${onTop}`,
      '--pr',
      String(pull.number),
    );
    expect(exit).toBe(1);
    expect(task).toMatchObject({
      status: 'FAILED',
      error_classification: { errorClass: 'PR_HEAD_MOVED' },
      branch_name: expect.stringMatching(`^bgagent/${task.task_id}/`),
    });
    expect(github.head(hello, 'shared')).toBe(onTop);
    expect(show(task.branch_name ?? '', 'greet.txt')).toBe('ahoi');
  });

  it.each([
    ['a closed one', 'PR_NOT_FOUND_OR_CLOSED', () => ({ ...openPull('closed'), state: 'closed' as const })],
    ['a fork’s', 'PR_FROM_FORK', () => openPull('forked', github.fork(hello, `fork-${Date.now()}`))],
    ['one that is not there', 'PR_NOT_FOUND_OR_CLOSED', () => ({ number: 4_242 })],
  ])('--pr says what is wrong with %s before any agent runs', async (_what, code, make) => {
    const pull = make();
    const known = hello.issues.get(pull.number);
    if (known && 'state' in pull && pull.state === 'closed') known.state = 'closed';
    const { exit, task } = await submit('exit 1', '--pr', String(pull.number));
    expect(exit).toBe(1);
    expect(task).toMatchObject({ error_classification: { errorClass: code }, session_id: null });
  });

  it.each([
    ['the pull request is open, but not known yet', '--task', /requested_reviewers$/],
    ['the answer is not written yet', '--pr', /\/issues\/\d+\/comments$/],
    ['the review is not posted yet', '--review-pr', /\/reviews$/],
  ])('is killed when %s, and does it once', async (_what, option, path) => {
    const before = pulls().length;
    const pull = option === '--task' ? null : openPull(`killed${option}`);
    await bgagent(
      'repo',
      'set',
      'octo/hello',
      '--agent-command',
      `echo ${option} > killed.txt; echo Fine. > "$BGAGENT_SUMMARY_FILE"`,
    );
    // The platform gets no answer, and can't go on by itself for half a minute.
    github.fail({ method: 'POST', path, failure: { kind: 'silence' } });
    const asked = await bgagent(
      'submit',
      '--repo',
      'octo/hello',
      option,
      String(pull?.number ?? 'Say bye'),
      '--output',
      'json',
    );
    const { task_id: taskId } = JSON.parse(asked.out) as TaskDetail;
    await vi.waitFor(() => expect(github.pendingFaults()).toBe(0), { timeout: 60_000, interval: 20 });
    await platform.end('SIGKILL');
    platform = await start();
    const task = await vi.waitFor(
      async () => {
        const { out } = await bgagent('status', taskId, '--output', 'json');
        const now = JSON.parse(out) as TaskDetail;
        if (now.completed_at === null) throw new Error(now.status);
        return now;
      },
      { timeout: 60_000, interval: 50 },
    );
    expect(task).toMatchObject({ status: 'COMPLETED', attempt: 1, pr_number: expect.any(Number) });
    expect(pulls()).toHaveLength(before + 1);
    const { comments, pull: made } = pullOf(task.pr_number ?? 0);
    expect(comments).toHaveLength(option === '--pr' ? 1 : 0);
    expect(made.reviews).toHaveLength(option === '--review-pr' ? 1 : 0);
    const { out } = await bgagent('events', taskId, '--all', '--output', 'json');
    const told = ['"pr_created"', '"pr_updated"', '"review_posted"'].filter((type) => out.includes(type));
    expect(told).toHaveLength(1);
    expect(out.match(/"event_type": ?"task_completed"/g)).toHaveLength(1);
  });

  it('--issue takes a megabyte of text, and says of an issue that is gone that it is', async () => {
    const issue = github.addIssue(hello, { title: 'Long', body: `begin ${'word '.repeat(200_000)}` });
    for (let each = 0; each < 8; each += 1) github.comment(issue, 'mona', `${each} ${'z'.repeat(60_000)}`);
    const ids = ['--issue', String(issue.number)] as const;
    const { task } = await submit('cp "$BGAGENT_PROMPT_FILE" prompt.txt', ...ids);
    expect(task).toMatchObject({ status: 'COMPLETED' });
    const size = Number(git(hello.gitDir, 'cat-file', '-s', `${task.branch_name}:prompt.txt`));
    expect(size).toBeGreaterThan(100_000);
    expect(size).toBeLessThan(310_000);
    issue.deleted = true;
    expect((await submit('true', ...ids)).task.error_classification?.errorClass).toBe('ISSUE_NOT_FOUND');
  });

  it('says so when the token may not change files of GitHub Actions (H2)', async () => {
    const write = 'mkdir -p .github/workflows; echo "on: push" > .github/workflows/ci.yml';
    const { task } = await submit(write, '--task', 'Add a pipeline');
    expect(task).toMatchObject({ error_classification: { errorClass: 'WORKFLOW_FILES_REFUSED' } });
  });

  it('says so of a repository without a commit', async () => {
    github.addRepo('octo/empty', { empty: true });
    await bgagent('repo', 'add', 'octo/empty', '--agent-command', 'true');
    const { exit, out } = await bgagent('submit', '--repo', 'octo/empty', '--task', 'Begin', '--wait');
    expect(exit).toBe(1);
    expect(out).toContain('The repository has no commits');
  });

  it('leaves the token nowhere in the data of the platform (N2)', () => {
    // grep's way to say that there is none.
    expect(() => execFileSync('grep', ['-rlaF', token, dataDir])).toThrow(
      expect.objectContaining({ status: 1 }),
    );
  });

  it('says so when the token is revoked while the agent works', async () => {
    const [begun, go] = [join(folder, 'begun'), join(folder, 'go')];
    const running = submit(
      `echo bye > greet.txt; touch ${begun}; while [ ! -e ${go} ]; do sleep 0.05; done`,
      '--task',
      'Say bye',
    );
    await vi.waitFor(() => expect(existsSync(begun)).toBe(true), { timeout: 60_000, interval: 50 });
    github.revoke(token);
    writeFileSync(go, '');
    const { exit, task } = await running;
    expect(exit).toBe(1);
    expect(task.error_classification).toMatchObject({
      errorClass: 'PUSH_REJECTED',
      description: expect.stringContaining('refused those that it was given'),
    });
    expect(JSON.stringify(task)).not.toContain(token);
  });
});

const openPull = (branch: string, from?: Repo) =>
  github.addPull(hello, { branch, files: { [`${branch}.txt`]: 'x\n' }, ...(from ? { from } : {}) });
