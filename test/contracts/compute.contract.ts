import { afterEach, beforeEach, describe, expect } from 'vitest';
import type { ComputeStrategy, SessionSpec } from '../../src/compute/strategy.ts';
import { type Skip, testsWithSkips } from './skips.ts';

/** What the suite needs of a backend: how to make a session do a thing, and to see what it did. */
export interface ComputeHarness {
  strategy: ComputeStrategy;
  /** Sessions that ended, as the strategy told it. */
  ended: string[];
  /** A fresh spec whose runner behaves so: `wait` = until told to stop; `exit-0`, `exit-3` = at once; `stubborn` = ignores SIGTERM and leaves a daemon. */
  spec(behaviour: 'wait' | 'exit-0' | 'exit-3' | 'stubborn'): Promise<SessionSpec>;
  /** How many runners were really started for the spec. */
  starts(spec: SessionSpec): Promise<number>;
  /** Processes (or the backend's equivalent) that still belong to the session. */
  leftovers(spec: SessionSpec): Promise<number>;
  close(): Promise<void>;
}

/** Every compute backend must pass this, but for what it declares. `capacity` is what the harness gave it. */
export function computeContract(
  name: string,
  create: () => Promise<ComputeHarness>,
  { capacity, skips = [] }: { capacity: number; skips?: readonly Skip[] },
): void {
  describe(`compute: ${name}`, () => {
    const it = testsWithSkips(skips);
    let harness: ComputeHarness;
    beforeEach(async () => {
      harness = await create();
    });
    afterEach(async () => {
      await harness.close();
    });

    const started = async (spec: SessionSpec) => {
      const answer = await harness.strategy.start(spec);
      if (answer.kind !== 'started') throw new Error(`not started: ${answer.reason}`);
      return answer.session;
    };
    const until = async (holds: () => Promise<boolean>) => {
      for (let tries = 0; tries < 400; tries += 1) {
        if (await holds()) return;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      throw new Error('it did not come true in ten seconds');
    };

    it('runs a session, and names it by task and attempt (C2)', async () => {
      const spec = await harness.spec('wait');
      const session = await started(spec);
      expect(session).toMatchObject({ type: harness.strategy.type, id: `${spec.taskId}-${spec.attempt}` });
      expect(await harness.strategy.describe(session)).toEqual({ kind: 'running' });
      expect(JSON.parse(JSON.stringify(session))).toEqual(session);
    });

    it('starts one runner for an attempt, however often it is asked (C2)', async () => {
      const spec = await harness.spec('wait');
      const sessions = await Promise.all([started(spec), started(spec), started(spec)]);
      expect(new Set(sessions.map((session) => session.id)).size).toBe(1);
      await started(spec);
      await until(async () => (await harness.starts(spec)) > 0);
      expect(await harness.starts(spec)).toBe(1);
    });

    it('does not start a second runner when the first has ended', async () => {
      const spec = await harness.spec('exit-0');
      const session = await started(spec);
      await until(async () => (await harness.strategy.describe(session)).kind === 'exited');
      await started(spec);
      expect(await harness.starts(spec)).toBe(1);
    });

    it('tells how a session ended, and says so by itself', async () => {
      const well = await started(await harness.spec('exit-0'));
      const badly = await started(await harness.spec('exit-3'));
      await until(async () => harness.ended.length === 2);
      expect(await harness.strategy.describe(well)).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(await harness.strategy.describe(badly)).toMatchObject({ kind: 'exited', exitCode: 3 });
    });

    it('says no when it is full, and has room again after an end', async () => {
      const specs = await Promise.all(Array.from({ length: capacity + 1 }, () => harness.spec('wait')));
      const answers = await Promise.all(specs.map((spec) => harness.strategy.start(spec)));
      expect(answers.filter((answer) => answer.kind === 'started')).toHaveLength(capacity);
      const refused = specs[answers.findIndex((answer) => answer.kind === 'no-capacity')];
      const running = answers.find((answer) => answer.kind === 'started');
      if (running?.kind !== 'started' || !refused) throw new Error('nothing was refused');
      await harness.strategy.stop(running.session, { graceMs: 5_000 });
      await until(async () => harness.ended.length === 1);
      expect(await harness.strategy.start(refused)).toMatchObject({ kind: 'started' });
    });

    it('stops a session, twice without harm, and nothing of it is left (C3)', async () => {
      const spec = await harness.spec('wait');
      const session = await started(spec);
      await harness.strategy.stop(session, { graceMs: 5_000 });
      expect(await harness.leftovers(spec)).toBe(0);
      expect((await harness.strategy.describe(session)).kind).toBe('exited');
      await harness.strategy.stop(session, { graceMs: 5_000 });
    });

    it('ends a runner that ignores the request, and its daemons', async () => {
      const spec = await harness.spec('stubborn');
      const session = await started(spec);
      await until(async () => (await harness.leftovers(spec)) >= 2);
      await harness.strategy.stop(session, { graceMs: 100 });
      expect(await harness.leftovers(spec)).toBe(0);
    });

    it('lists its sessions until they are cleaned up', async () => {
      const spec = await harness.spec('wait');
      const session = await started(spec);
      expect((await harness.strategy.list()).map(({ id }) => id)).toContain(session.id);
      await harness.strategy.stop(session, { graceMs: 5_000 });
      await harness.strategy.cleanUp(session);
      expect(await harness.strategy.list()).toEqual([]);
    });

    it('knows nothing of a session that was cleaned up', async () => {
      const session = await started(await harness.spec('wait'));
      await harness.strategy.stop(session, { graceMs: 5_000 });
      await harness.strategy.cleanUp(session);
      expect(await harness.strategy.describe(session)).toEqual({ kind: 'missing' });
    });

    it('knows nothing of a session that never was', async () => {
      const session = { type: harness.strategy.type, id: '01ARZ3NDEKTSV4RRFFQ69G5FAV-1', ref: null };
      expect(await harness.strategy.describe(session)).toEqual({ kind: 'missing' });
      await harness.strategy.stop(session, { graceMs: 0 });
      await harness.strategy.cleanUp(session);
    });
  });
}
