import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeHostileAgent, uniqueSleep } from '../fixtures/hostile.ts';
import { createRunnerWorld, isRunning } from '../fixtures/runner.ts';

describeHostileAgent('starts processes', ({ world, sandbox }) => {
  it('leaves none behind, however they are started', async () => {
    const ways = [
      'SLEEP &',
      'nohup SLEEP >/dev/null 2>&1 &',
      'setsid SLEEP >/dev/null 2>&1 &',
      // Twice forked, elsewhere, without environment.
      '(setsid env -i PATH="$PATH" sh -c "cd /; SLEEP >/dev/null 2>&1 & sleep 0.3" &) ; sleep 0.2',
      // Holding its output open.
      '(setsid SLEEP &)',
      `(trap '' TERM HUP INT; while :; do SLEEP; done) &`,
    ].map((way) => {
      const sleep = uniqueSleep();
      return { sleep, commandLine: way.replace('SLEEP', sleep) };
    });
    const { outcome } = await world().run({
      sandbox,
      command: [...ways.map(({ commandLine }) => commandLine), 'echo x > x.txt'].join('\n'),
    });
    expect(outcome).toMatchObject({ result: 'changes' });
    expect(ways.filter(({ sleep }) => isRunning(sleep))).toEqual([]);
  });

  it('that forks without end is stopped by the deadline', async () => {
    const sleep = uniqueSleep();
    const { outcome } = await world().run({
      sandbox,
      command: `for i in 1 2 3 4 5 6 7 8; do (while :; do ${sleep} & sleep 0.2; done) & done; echo half > half.txt; wait`,
      limits: { deadline_at: new Date(Date.now() + 2_500).toISOString() },
    });
    expect(outcome).toMatchObject({ result: 'timed_out', partial: true });
    expect(isRunning(sleep)).toBe(false);
  });

  it('that kills its parents, and all it may signal, harms only itself', async () => {
    const { outcome, exitCode } = await world().run({
      sandbox,
      command: 'echo half > half.txt; kill -9 $PPID; kill -9 -1; kill -9 $$; sleep 1; exit 1',
    });
    expect(exitCode).toBe(0);
    expect(outcome).toMatchObject({ result: 'failed', partial: true, error: { code: 'AGENT_FAILED' } });
  });
});

describe('an agent where there is neither sandbox nor pid namespace', () => {
  it('leaves no process behind, and a fork bomb is stopped', async () => {
    const world = await createRunnerWorld();
    try {
      // All programs but the one that makes namespaces.
      const bin = join(world.folder, 'bin');
      mkdirSync(bin);
      for (const program of ['sh', 'env', 'git', 'sleep', 'setsid'])
        symlinkSync(pathOf(program), join(bin, program));
      const ways = [
        'SLEEP &',
        'setsid SLEEP >/dev/null 2>&1 &',
        '(cd /; setsid SLEEP >/dev/null 2>&1 &)',
        '(setsid env -i /bin/SLEEP >/dev/null 2>&1 &)',
        // Seen before it leaves.
        'sh -c "sleep 0.6; cd /; exec setsid env -i /bin/SLEEP >/dev/null 2>&1" &',
      ].map((way) => {
        const sleep = uniqueSleep();
        return { sleep, commandLine: way.replace('SLEEP', sleep) };
      });
      const lines = ways.map(({ commandLine }) => commandLine);
      const { outcome } = await world.run({
        command: [...lines, 'sleep 1; echo x > x.txt'].join('\n'),
        environment: { PATH: bin },
      });
      expect(outcome).toMatchObject({ result: 'changes' });
      expect(ways.filter(({ sleep }) => isRunning(sleep))).toEqual([]);

      const sleep = uniqueSleep();
      const bomb = await world.run({
        command: `b() { [ $1 -gt 0 ] && { b $(($1-1)) & b $(($1-1)) & }; ${sleep}; }; b 8`,
        environment: { PATH: bin },
        limits: { agent_max_processes: 60 },
      });
      expect(bomb.outcome).toMatchObject({ error: { code: 'AGENT_RESOURCES_EXCEEDED' } });
      expect(isRunning(sleep)).toBe(false);
    } finally {
      await world.close();
    }
  });
});

const pathOf = (program: string): string => execFileSync('which', [program], { encoding: 'utf8' }).trim();
