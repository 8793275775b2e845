import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { git } from '../../test/fixtures/git-repo.ts';
import {
  checkRepository,
  createRunnerWorld,
  fileOnBranch,
  filesOnBranch,
  isRunning,
  type RunnerWorld,
} from '../../test/fixtures/runner.ts';

describe('a runner', () => {
  let world: RunnerWorld;
  beforeEach(async () => {
    world = await createRunnerWorld({ files: { 'README.md': '# Hello\n', 'src/old.txt': 'old\n' } });
  });
  afterEach(() => world.close());

  it('turns a task into a pushed branch, and tells each step in order', async () => {
    const { payload, outcome, events, exitCode, log, printed } = await world.run({
      command:
        'cat "$BGAGENT_PROMPT_FILE"; echo hello > greeting.txt; rm src/old.txt; echo "Said hello." > "$BGAGENT_SUMMARY_FILE"',
    });
    expect({ exitCode, printed }).toEqual({ exitCode: 0, printed: '' });
    expect(outcome).toMatchObject({
      result: 'changes',
      outcome: 'changes',
      summary: 'Said hello.',
      partial: false,
      branch_name: payload.repo.branch_name,
      diff_stat: { files_changed: 2, insertions: 1, deletions: 1 },
      error: null,
      timings: {
        clone_ms: expect.any(Number),
        agent_ms: expect.any(Number),
        verify_ms: null,
        push_ms: expect.any(Number),
      },
    });
    expect(outcome?.diff).toContain('+hello');
    expect(log).toContain('Add a greeting');
    expect(events.filter((type) => type !== 'agent_output')).toEqual([
      'runner_started',
      ...['clone', 'agent', 'commit', 'push'].flatMap(() => ['phase_started', 'phase_completed']),
      'branch_pushed',
    ]);
    expect(git(world.repo, 'rev-parse', payload.repo.branch_name)).toBe(outcome?.head_sha);
    expect(filesOnBranch(world.repo, payload.repo.branch_name)).toEqual(['README.md', 'greeting.txt']);
    checkRepository(world.repo);
  });

  it('commits with the task in a trailer, as the author that the payload names (R5)', async () => {
    const { payload } = await world.run();
    const [author, subject, parent, ...body] = git(
      world.repo,
      'log',
      '-1',
      '--format=%an <%ae>%n%s%n%P%n%b',
      payload.repo.branch_name,
    ).split('\n');
    expect({ author, subject, parent }).toEqual({
      author: 'bgagent <bgagent@example.com>',
      subject: 'Add a greeting',
      parent: world.sha,
    });
    expect(body).toEqual([
      `Task-Id: ${payload.task_id}`,
      expect.stringMatching(/^Co-authored-by: command agent </),
    ]);
  });

  it('reports no changes, with the agent’s reason', async () => {
    const { outcome, payload } = await world.run({
      command: 'echo "There is a greeting already." > "$BGAGENT_SUMMARY_FILE"',
    });
    expect(outcome).toMatchObject({
      result: 'no_changes',
      outcome: 'no_changes',
      summary: 'There is a greeting already.',
      head_sha: null,
      error: null,
    });
    expect(git(world.repo, 'branch', '--list', payload.repo.branch_name)).toBe('');
  });

  it('pushes nothing in a read-only workflow', async () => {
    const { outcome, payload } = await world.run({
      command: 'echo x > x.txt; echo "Looks good." > "$BGAGENT_SUMMARY_FILE"',
      payload: { read_only: true },
    });
    expect(outcome).toMatchObject({ result: 'no_changes', summary: 'Looks good.', head_sha: null });
    expect(git(world.repo, 'branch', '--list', payload.repo.branch_name)).toBe('');
  });

  it('keeps the work of an agent that fails, marked as partial (O7)', async () => {
    const { outcome, payload } = await world.run({ command: 'echo half > half.txt; exit 7' });
    expect(outcome).toMatchObject({
      result: 'failed',
      outcome: null,
      partial: true,
      error: { code: 'AGENT_FAILED', message: expect.stringContaining('exit code 7') },
    });
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'half.txt')).toBe('half');
    expect(git(world.repo, 'log', '-1', '--format=%s', payload.repo.branch_name)).toMatch(/unfinished/);
  });

  it('goes on from what an earlier attempt pushed', async () => {
    const first = await world.run({ command: 'echo one > one.txt; exit 1' });
    const second = await world.run({
      command: 'ls; echo two > two.txt',
      payload: { task_id: first.payload.task_id, attempt: 2 },
      repo: { resume_sha: first.outcome?.head_sha ?? null },
    });
    expect(second.log).toContain('one.txt');
    expect(second.outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 2 } });
    expect(filesOnBranch(world.repo, second.payload.repo.branch_name)).toEqual([
      'README.md',
      'one.txt',
      'src/old.txt',
      'two.txt',
    ]);
  });

  it('does not push over a commit that someone else put on the branch', async () => {
    const { payload, outcome } = await world.run({
      command: `git -C ${world.repo} update-ref refs/heads/bgagent/x/y main; echo mine > mine.txt`,
      repo: { branch_name: 'bgagent/x/y' },
    });
    expect(outcome).toMatchObject({
      result: 'failed',
      error: { code: 'PUSH_REJECTED', message: expect.stringContaining('did not make') },
      head_sha: null,
      diff_stat: { files_changed: 1 },
      diff: expect.stringContaining('+mine'),
    });
    expect(git(world.repo, 'rev-parse', payload.repo.branch_name)).toBe(world.sha);
  });

  it('says what a hook of the remote said when it refuses the push', async () => {
    mkdirSync(join(world.repo, 'hooks'), { recursive: true });
    writeFileSync(join(world.repo, 'hooks/pre-receive'), '#!/bin/sh\necho "Only on Fridays." >&2\nexit 1\n', {
      mode: 0o755,
    });
    const { outcome } = await world.run();
    expect(outcome).toMatchObject({
      result: 'failed',
      error: { code: 'PUSH_REJECTED', message: expect.stringContaining('Only on Fridays.') },
    });
  });

  it('is cancelled by the platform’s reply: the agent dies at once, what there is gets pushed (O6)', async () => {
    const task = await world.start({
      command: 'echo half > half.txt; echo begun; sleep 600',
      payload: { heartbeat_interval_s: 0.1 },
    });
    await task.platform.seen('agent_output');
    const cancelledAt = Date.now();
    task.platform.reply = { cancel_requested: true, nudges: [] };
    const { outcome, payload } = await task.ended;
    expect(outcome).toMatchObject({
      result: 'cancelled',
      partial: true,
      error: { code: 'CANCELLED_BY_USER' },
    });
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'half.txt')).toBe('half');
    expect(Date.now() - cancelledAt).toBeLessThan(10_000);
  });

  it('is cancelled by SIGTERM, however stubborn the agent is', async () => {
    const task = await world.start({
      command: `trap '' TERM INT HUP; echo half > half.txt; echo begun; while :; do sleep 600.25; done`,
    });
    await task.platform.seen('agent_output');
    task.process.kill('SIGTERM');
    const { outcome, exitCode } = await task.ended;
    expect({ exitCode, result: outcome?.result, partial: outcome?.partial }).toEqual({
      exitCode: 0,
      result: 'cancelled',
      partial: true,
    });
    expect(isRunning('sleep 600.25')).toBe(false);
  });

  it('ends at the deadline with the partial branch (T6)', async () => {
    const deadline_at = new Date(Date.now() + 1_500).toISOString();
    const { outcome, payload } = await world.run({
      command: 'echo half > half.txt; sleep 600',
      limits: { deadline_at },
    });
    expect(outcome).toMatchObject({
      result: 'timed_out',
      partial: true,
      error: { code: 'DEADLINE_REACHED' },
    });
    expect(fileOnBranch(world.repo, payload.repo.branch_name, 'half.txt')).toBe('half');
  });

  it('leaves without a trace when another attempt has taken over', async () => {
    const task = await world.start({
      command: 'echo begun; sleep 600.5',
      payload: { heartbeat_interval_s: 0.1 },
    });
    await task.platform.seen('agent_output');
    task.platform.mode = 'stale';
    const { exitCode, outcome, payload } = await task.ended;
    expect({ exitCode, outcome }).toEqual({ exitCode: 3, outcome: undefined });
    expect(git(world.repo, 'branch', '--list', payload.repo.branch_name)).toBe('');
    expect(readdirSync(join(world.workDir, 'runs'))).toEqual([]);
    expect(isRunning('sleep 600.5')).toBe(false);
  });

  it('does nothing at all when it may not begin', async () => {
    const task = await world.start();
    task.platform.mode = 'stale';
    expect(await task.ended).toMatchObject({ exitCode: 3, events: [] });
  });

  it('loses nothing while the platform is away, and finds it again on another port', async () => {
    const task = await world.start({
      command: 'echo begun; while [ ! -e "$HOME/go" ]; do sleep 0.05; done; echo ended; echo x > x.txt',
      payload: { heartbeat_interval_s: 0.1 },
    });
    await task.platform.seen('agent_output');
    const { payload, platform } = task;
    platform.mode = 'down';
    writeFileSync(join(world.workDir, 'runs', `${payload.task_id}-1`, 'home', 'go'), '');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const moved = await platform.move();
    writeFileSync(join(world.folder, 'data', 'platform.json'), JSON.stringify({ api_url: moved }));
    const { outcome, log, exitCode } = await task.ended;
    expect({ exitCode, result: outcome?.result }).toEqual({ exitCode: 0, result: 'changes' });
    expect(log).toContain('begun\nended\n');
    expect(platform.events.map(({ seq }) => seq)).toEqual(platform.events.map((_, index) => index));
  });

  it('runs setup, and build and lint before and after, and commits nothing that they leave behind', async () => {
    const { outcome, events, log, payload } = await world.run({
      command: 'cat installed; echo Broken > README.md; echo new > new.txt',
      payload: {
        commands: {
          setup: 'echo yes > installed',
          build: 'mkdir -p out; echo x > out/x$$; grep Hello README.md',
          lint: 'true',
          test: null,
        },
      },
    });
    expect(outcome).toMatchObject({
      result: 'changes',
      build_passed: false,
      lint_passed: true,
      timings: { verify_ms: expect.any(Number) },
    });
    expect(events).toContain('verification_completed');
    expect(log).toContain('$ grep Hello README.md'.slice(2));
    expect(filesOnBranch(world.repo, payload.repo.branch_name)).toEqual([
      'README.md',
      'new.txt',
      'src/old.txt',
    ]);
  });

  it('fails before the agent runs when the setup fails', async () => {
    const { outcome, log } = await world.run({
      command: 'echo agent was here',
      payload: { commands: { setup: 'exit 3', build: null, lint: null, test: null } },
    });
    expect(outcome).toMatchObject({ result: 'failed', error: { code: 'SETUP_FAILED' } });
    expect(log).not.toContain('agent was here');
  });

  it.each([
    ['a repository that is gone', { repo: { url: '/nowhere/hello.git' } }, 'CLONE_FAILED'],
    ['a commit that is gone', { repo: { base_sha: 'a'.repeat(40) } }, 'CLONE_FAILED'],
    [
      'an agent that is not there',
      { payload: { agent: { type: 'codex', command: null, model_id: null } } },
      'AGENT_NOT_AVAILABLE',
    ],
    [
      'no command',
      { payload: { agent: { type: 'command', command: null, model_id: null } } },
      'AGENT_NOT_AVAILABLE',
    ],
  ])('says so of %s', async (_, task, code) => {
    expect((await world.run(task)).outcome).toMatchObject({
      result: 'failed',
      partial: false,
      error: { code },
    });
  });

  it('shares the mirror: the second task fetches nothing', async () => {
    const first = await world.run();
    const second = await world.run();
    expect(first.log).toContain('fetched');
    expect(second.log).not.toContain('fetched');
    checkRepository(join(world.workDir, 'mirrors', 'hello.git'));
  });

  it('fetches the difference when the branch has moved on, several runners at once', async () => {
    await world.run();
    const source = join(world.folder, 'source');
    writeFileSync(join(source, 'new.txt'), 'new\n');
    git(source, 'add', '--all');
    git(source, 'commit', '--quiet', '--message', 'More');
    git(source, 'push', '--quiet', world.repo, 'HEAD:main');
    const base_sha = git(world.repo, 'rev-parse', 'main');
    const runs = await Promise.all(
      [1, 2, 3].map(() => world.run({ command: 'cat new.txt > copy.txt', repo: { base_sha } })),
    );
    expect(runs.map(({ outcome }) => outcome?.result)).toEqual(['changes', 'changes', 'changes']);
    expect(runs.filter(({ log }) => log.includes('fetched'))).toHaveLength(1);
    checkRepository(join(world.workDir, 'mirrors', 'hello.git'));
  });

  it('lets the agent use git', async () => {
    const { log, outcome } = await world.run({
      command:
        'echo x > x.txt; git status --short; git log --oneline; git add . && git commit -qm mine && git log -1 --format=%s',
    });
    expect(log).toMatch(/\?\? x\.txt\n[0-9a-f]+ Begin\nmine\n/);
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 1 } });
  });
});
