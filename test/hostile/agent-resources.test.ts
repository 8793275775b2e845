import { expect, it } from 'vitest';
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

  it('by keeping the processor busy gives way to others, and ends at the deadline', async () => {
    const { outcome, log } = await world().run({
      sandbox,
      command: 'echo "nice $(nice), first to go $(cat /proc/self/oom_score_adj)"; while :; do :; done',
      limits: { deadline_at: new Date(Date.now() + 1_500).toISOString() },
    });
    expect(outcome).toMatchObject({ result: 'timed_out' });
    expect(log).toContain('nice 5, first to go 1000');
  });
});
