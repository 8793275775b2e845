import { getPriority } from 'node:os';
import { expect, it } from 'vitest';
import { git } from '../fixtures/git-repo.ts';
import { describeHostileAgent, uniqueSleep } from '../fixtures/hostile.ts';
import { isRunning } from '../fixtures/runner.ts';

describeHostileAgent('takes too much of the machine', ({ world, sandbox }) => {
  it('by a fork bomb is stopped, with the number of processes', async () => {
    const sleep = uniqueSleep();
    const { outcome, exitCode } = await world().run({
      sandbox,
      // Doubles, up to about a thousand: a bomb that nobody stops must not take the machine of the tests.
      command: `echo half > half.txt; b() { [ $1 -gt 0 ] && { b $(($1-1)) & b $(($1-1)) & }; ${sleep}; }; b 9`,
      limits: { agent_max_processes: 60 },
    });
    expect(exitCode).toBe(0);
    expect(outcome).toMatchObject({
      result: 'failed',
      partial: true,
      error: {
        code: 'AGENT_RESOURCES_EXCEEDED',
        message: expect.stringMatching(/processes at once; at most 60 .*agent_max_processes/),
      },
    });
    expect(isRunning(sleep)).toBe(false);
  });

  it('by filling memory is stopped, with the size', async () => {
    const { outcome } = await world().run({
      sandbox,
      command: `echo half > half.txt; node -e 'const held = []; setInterval(() => held.push(Buffer.alloc(4e6, 1)), 10)'`,
      limits: { agent_max_memory_mb: 200 },
    });
    expect(outcome).toMatchObject({
      result: 'failed',
      partial: true,
      error: { code: 'AGENT_RESOURCES_EXCEEDED', message: expect.stringContaining('agent_max_memory_mb') },
    });
  });

  it.runIf(sandbox)('by filling the folder in memory that the sandbox gives it is stopped, too', async () => {
    const { outcome } = await world().run({
      sandbox,
      command: 'head -c 300000000 /dev/zero > /tmp/big; sleep 60',
      limits: { agent_max_memory_mb: 200 },
    });
    expect(outcome).toMatchObject({ error: { code: 'AGENT_RESOURCES_EXCEEDED' } });
  });

  it('gives way to others from its first moment', async () => {
    const { log } = await world().run({
      sandbox,
      command: 'echo "nice $(nice), first to go $(cat /proc/self/oom_score_adj)"',
    });
    const niceness = Math.min(19, getPriority() + 5);
    expect(log).toContain(`nice ${niceness}, first to go 1000`);
  });

  it('by keeping the processor busy ends at the deadline', async () => {
    const { outcome } = await world().run({
      sandbox,
      command: 'while :; do :; done',
      limits: { deadline_at: new Date(Date.now() + 1_500).toISOString() },
    });
    expect(outcome).toMatchObject({ result: 'timed_out' });
  });

  it('that leaves 6,000 files is told how many are too many, and nothing of it is pushed', async () => {
    const { outcome, payload } = await world().run({
      sandbox,
      command: 'mkdir many; cd many; seq 6000 | xargs touch; echo made',
      limits: { max_files: 5_000 },
    });
    expect(outcome).toMatchObject({
      result: 'failed',
      head_sha: null,
      error: { code: 'DISK_QUOTA_EXCEEDED', message: expect.stringContaining('5000') },
    });
    expect(git(world().repo, 'branch', '--list', payload.repo.branch_name)).toBe('');
  });

  it('may leave as many ignored files as its quota allows', async () => {
    const { outcome } = await world().run({
      sandbox,
      command: 'mkdir ignored; cd ignored; seq 3000 | xargs touch; cd ..; echo x > x.txt',
      limits: { max_files: 5_000 },
    });
    expect(outcome).toMatchObject({ result: 'changes', diff_stat: { files_changed: 1 } });
  });

  it('that fills its quota is stopped while it does', async () => {
    const { outcome } = await world().run({
      sandbox,
      command:
        'echo half > half.txt; while :; do dd if=/dev/zero of=big.$$ bs=1M count=8 oflag=append conv=notrunc 2>/dev/null; sleep 0.02; done',
      limits: { workspace_max_mb: 64 },
    });
    expect(outcome).toMatchObject({
      result: 'failed',
      // What is over the limit is not pushed into somebody's repository.
      head_sha: null,
      error: { code: 'DISK_QUOTA_EXCEEDED', message: expect.stringContaining('64 MB') },
    });
  });

  it('that prints 300 MB costs the limit, and the rest is counted', async () => {
    const { outcome, log } = await world().run({
      sandbox,
      command: 'yes 0123456789abcdef0123456789abcdef | head -c 300000000; echo x > x.txt',
      limits: { output_max_bytes: 100_000 },
    });
    expect(outcome).toMatchObject({ result: 'changes' });
    expect(log.length).toBeLessThan(102_000);
    expect(log).toContain('299900000 more bytes of output are not kept');
  });

  it('that prints control characters and broken text does no harm', async () => {
    const task = await world().start({
      sandbox,
      command: `printf '\\033[2J\\033]0;title\\007\\377\\376 \\000 \\r\\n'; echo x > x.txt`,
    });
    const { outcome, platform } = await task.ended;
    expect(outcome).toMatchObject({ result: 'changes' });
    const previews = platform.events
      .filter(({ event_type }) => event_type === 'agent_output')
      .map(({ metadata }) => String(metadata.preview));
    expect(previews.join('')).not.toMatch(/\p{Cc}/u);
  });
});
