import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { git } from '../../test/fixtures/git-repo.ts';
import { startGitServer } from '../../test/fixtures/git-server.ts';
import {
  createRunnerWorld,
  fileOnBranch,
  type RunnerWorld,
  type TaskOptions,
} from '../../test/fixtures/runner.ts';
import type { Payload } from '../task/protocol.ts';

const RESCUE = 'bgagent/01ARZ3NDEKTSV4RRFFQ69G5FAV/fix';

describe('a runner on a pull request', () => {
  let world: RunnerWorld;
  /** The head of the pull request's branch, and what others will have put there when the agent ends. */
  let head: string;

  beforeEach(async () => {
    world = await createRunnerWorld({ files: { 'README.md': '# Hello\n', 'a.txt': 'one\ntwo\nthree\n' } });
    head = commit('fix', 'main', { 'fix.txt': 'a fix\n', 'a.txt': 'one\ntwo\nfour\n' });
    git(world.repo, 'update-ref', 'refs/pull/34/head', head);
  });
  afterEach(() => world.close());

  /** A commit of a person, on a branch of the remote. */
  function commit(branch: string, onto: string, files: Record<string, string>): string {
    const source = join(world.folder, 'source');
    git(source, 'fetch', '--quiet', world.repo, onto);
    git(source, 'checkout', '--quiet', '--detach', 'FETCH_HEAD');
    for (const [name, text] of Object.entries(files)) writeFileSync(join(source, name), text);
    git(source, 'add', '--all');
    git(source, 'commit', '--quiet', '--message', `Change ${Object.keys(files)}`);
    git(source, 'push', '--quiet', world.repo, `HEAD:refs/heads/${branch}`);
    return git(source, 'rev-parse', 'HEAD');
  }

  const iterate = (command: string, options: TaskOptions = {}) =>
    world.run({
      ...options,
      command,
      payload: { outcome: 'same_pull_request', ...options.payload },
      repo: {
        base_branch: 'fix',
        base_sha: head,
        branch_name: 'fix',
        rescue_branch: RESCUE,
        head_ref: 'refs/pull/34/head',
        compare: { branch: 'main', sha: world.sha },
        ...options.repo,
      },
    });
  const tipOf = (branch: string): string => git(world.repo, 'rev-parse', branch);
  const moveTo = (sha: string): string => `git --git-dir=${world.repo} update-ref refs/heads/fix ${sha}`;

  it('adds its commit to the branch, and shows the agent what the pull request changes', async () => {
    const { outcome } = await iterate(
      'git diff --stat origin/main...HEAD > seen.txt; echo more >> fix.txt; printf "# Say more\\n\\nAs asked." > "$BGAGENT_SUMMARY_FILE"',
    );
    expect(outcome).toMatchObject({
      result: 'changes',
      branch_name: 'fix',
      partial: false,
      rebased_onto: null,
    });
    expect(outcome?.head_sha).toBe(tipOf('fix'));
    expect(tipOf('fix^')).toBe(head);
    expect(fileOnBranch(world.repo, 'fix', 'seen.txt')).toContain('fix.txt');
    expect(git(world.repo, 'log', '-1', '--format=%s', 'fix')).toBe('Say more');
    expect(outcome?.diff_stat?.files_changed).toBe(2);
  });

  it('goes on top of what a person pushed meanwhile', async () => {
    const theirs = commit('waiting', 'fix', { 'other.txt': 'theirs\n' });
    const { outcome } = await iterate(`echo ours > ours.txt; ${moveTo(theirs)}`);
    expect(outcome).toMatchObject({ result: 'changes', branch_name: 'fix', rebased_onto: theirs });
    expect(tipOf('fix^')).toBe(theirs);
    expect(outcome?.head_sha).toBe(tipOf('fix'));
    expect(outcome?.diff_stat).toMatchObject({ files_changed: 1 });
    expect(git(world.repo, 'log', '-1', '--format=%(trailers:key=Task-Id,valueonly)', 'fix')).not.toBe('');
  });

  it.each([
    [
      'the same lines',
      () => commit('waiting', 'fix', { 'fix.txt': 'theirs\n' }),
      'other changes of the same lines',
    ],
    [
      'a history that was rewritten',
      () => commit('waiting', 'main', { 'fix.txt': 'anew\n' }),
      'was rewritten',
    ],
  ])('never forces over %s: the work is kept beside it', async (_what, theirs, reason) => {
    const moved = theirs();
    const { outcome } = await iterate(`echo ours > fix.txt; ${moveTo(moved)}`);
    expect(outcome).toMatchObject({
      result: 'failed',
      branch_name: RESCUE,
      error: { code: 'PR_HEAD_MOVED', message: expect.stringContaining(reason) },
    });
    expect(tipOf('fix')).toBe(moved);
    expect(outcome?.head_sha).toBe(tipOf(RESCUE));
    expect(fileOnBranch(world.repo, RESCUE, 'fix.txt')).toBe('ours');
  });

  it('keeps its work when the branch is gone', async () => {
    const { outcome } = await iterate(
      `echo ours > ours.txt; git --git-dir=${world.repo} update-ref -d refs/heads/fix`,
    );
    expect(outcome?.error).toMatchObject({
      code: 'PR_HEAD_MOVED',
      message: expect.stringContaining('deleted'),
    });
    expect(fileOnBranch(world.repo, RESCUE, 'ours.txt')).toBe('ours');
  });

  it('leaves the branch alone when others have made the same change', async () => {
    const theirs = commit('waiting', 'fix', { 'ours.txt': 'ours\n' });
    const { outcome } = await iterate(`echo ours > ours.txt; ${moveTo(theirs)}`);
    expect(outcome).toMatchObject({ result: 'no_changes', head_sha: null });
    expect(tipOf('fix')).toBe(theirs);
  });

  it('keeps unfinished work off the branch (O7)', async () => {
    const { outcome } = await iterate('echo half > half.txt; exit 1');
    expect(outcome).toMatchObject({ result: 'failed', partial: true, branch_name: RESCUE });
    expect(tipOf('fix')).toBe(head);
    expect(fileOnBranch(world.repo, RESCUE, 'half.txt')).toBe('half');
  });

  it('tells what an earlier attempt pushed from what others did', async () => {
    const task_id = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
    const first = await iterate('echo ours > ours.txt', { payload: { task_id } });
    const ours = first.outcome?.head_sha ?? '';
    const second = await iterate('true', { payload: { task_id, attempt: 2 }, repo: { resume_sha: ours } });
    expect(second.outcome).toMatchObject({ result: 'changes', head_sha: ours });
    const theirs = commit('fix', 'fix', { 'other.txt': 'theirs\n' });
    const other = await iterate('true', { repo: { base_sha: ours, resume_sha: theirs } });
    expect(other.outcome).toMatchObject({ result: 'no_changes', head_sha: null });
  });

  it('has what the comparison needs also from a remote that gives out contents late', async () => {
    const server = await startGitServer(world.folder);
    git(world.repo, 'config', 'uploadpack.allowFilter', 'true');
    git(world.repo, 'config', 'uploadpack.allowAnySHA1InWant', 'true');
    try {
      const { outcome, log } = await iterate('git diff origin/main...HEAD > seen.txt || exit 1', {
        repo: { url: `${server.url}/hello.git`, cache_key: 'over-http' },
      });
      expect(outcome?.error, log).toBeNull();
      expect(fileOnBranch(world.repo, 'fix', 'seen.txt')).toMatch(/-three\n\+four[\s\S]*\+a fix/);
    } finally {
      await server.close();
    }
  });
});

describe('a runner that reviews', () => {
  let world: RunnerWorld;
  beforeEach(async () => {
    world = await createRunnerWorld({
      files: { 'README.md': '# Hello\n', '.bgagent.yaml': 'setup: echo trusted > "$TMPDIR/setup"\n' },
    });
  });
  afterEach(() => world.close());

  const review = (command: string, payload: Partial<Payload> = {}) =>
    world.run({
      command,
      payload: { outcome: 'review', read_only: true, steps: ['setup'], ...payload },
      repo: { branch_name: 'pr-34', base_branch: 'pr-34', compare: { branch: 'main', sha: world.sha } },
    });
  const write = (json: string): string => `cat > "$BGAGENT_REVIEW_FILE" <<'END'\n${json}\nEND`;

  it('reports what the agent wrote and pushes nothing', async () => {
    const before = git(world.repo, 'for-each-ref');
    const { outcome, events } = await review(
      `echo changed > README.md; ${write('{"summary":"Fine.","comments":[{"path":"./README.md","line":1,"body":"Typo."}]}')}`,
    );
    expect(outcome).toMatchObject({
      result: 'no_changes',
      outcome: 'review',
      head_sha: null,
      branch_name: null,
      review: { summary: 'Fine.', comments: [{ path: 'README.md', line: 1, body: 'Typo.' }] },
    });
    expect(events).not.toContain('branch_pushed');
    expect(git(world.repo, 'for-each-ref')).toBe(before);
  });

  it('takes what the agent says for the review when it wrote none that can be used', async () => {
    const { outcome, log } = await review(
      `${write('{"summary": "cut off')}\necho "All is well." > "$BGAGENT_SUMMARY_FILE"`,
    );
    expect(outcome?.review).toEqual({ summary: 'All is well.', comments: [] });
    expect(log).toContain('the file of the review is no JSON');
  });

  it('fails when there is no review at all', async () => {
    const { outcome } = await review('true');
    expect(outcome).toMatchObject({ result: 'failed', review: null, error: { code: 'REVIEW_MISSING' } });
  });

  it('hides secrets in all of the review', async () => {
    const secret = `ghp_${'a1B2'.repeat(10)}`;
    const { outcome } = await review(
      write(JSON.stringify({ summary: secret, comments: [{ path: secret, line: 1, body: `x ${secret}` }] })),
    );
    expect(JSON.stringify(outcome?.review)).toContain('[redacted]');
    expect(JSON.stringify(outcome?.review)).not.toContain(secret);
  });

  it('runs what the base of the pull request says, not the pull request itself', async () => {
    const source = join(world.folder, 'source');
    writeFileSync(join(source, '.bgagent.yaml'), 'setup: exit 1\n');
    git(source, 'commit', '--quiet', '--all', '--message', 'Have another setup');
    git(source, 'push', '--quiet', world.repo, 'HEAD:refs/heads/theirs');
    const { outcome, log } = await world.run({
      command: 'cat "$TMPDIR/setup"; echo "Fine." > "$BGAGENT_SUMMARY_FILE"',
      payload: { outcome: 'review', read_only: true, steps: ['setup'] },
      repo: {
        base_sha: git(source, 'rev-parse', 'HEAD'),
        branch_name: 'pr-34',
        base_branch: 'theirs',
        compare: { branch: 'main', sha: world.sha },
      },
    });
    expect(outcome?.error).toBeNull();
    expect(log).toContain('trusted');
  });
});
