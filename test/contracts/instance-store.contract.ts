import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { FleetInstance, FleetSession, InstanceStore } from '../../src/stores/instance-store.ts';
import { type Skip, testsWithSkips } from './skips.ts';
import { type Clock, newTaskId } from './stores.contract.ts';

/** An empty store on a clock that stands still. */
export interface InstanceStoreHarness {
  instances: InstanceStore;
  clock: Clock;
  close(): Promise<void>;
}

export const anInstance = (fields: Partial<FleetInstance> = {}): FleetInstance => ({
  instanceId: `i-${newTaskId().toLowerCase()}`,
  fleet: 'octo',
  pool: 't4g.large/on-demand',
  phase: 'idle',
  sinceMs: 0,
  sessionId: null,
  checkCommandId: null,
  reason: null,
  sessionsRun: 0,
  ...fields,
});

export function aSession(fields: Partial<FleetSession> & { instanceId: string }): FleetSession {
  const taskId = fields.taskId ?? newTaskId();
  const attempt = fields.attempt ?? 1;
  return {
    sessionId: `${taskId}-${attempt}`,
    fleet: 'octo',
    taskId,
    attempt,
    owner: 'platform-1',
    claimedAtMs: 0,
    expiresAtMs: 1_000,
    payloadKey: 'payloads/octo/key',
    commandId: null,
    end: null,
    released: false,
    ...fields,
  };
}

/** The machines of a fleet and who has them. */
export function instanceStoreContract({
  name,
  create,
  skip = [],
}: {
  name: string;
  create(): Promise<InstanceStoreHarness>;
  skip?: readonly Skip[];
}): void {
  describe(`instances: ${name}`, () => {
    const it = testsWithSkips(skip);
    let harness: InstanceStoreHarness;
    let store: InstanceStore;
    beforeAll(async () => {
      harness = await create();
      store = harness.instances;
    });
    afterAll(() => harness.close());

    const added = async (fields: Partial<FleetInstance> = {}): Promise<FleetInstance> => {
      const instance = anInstance(fields);
      expect(await store.add(instance)).toBe(true);
      return instance;
    };
    const claimed = async (fields: Partial<FleetInstance> = {}): Promise<FleetSession> => {
      const session = aSession({ instanceId: (await added(fields)).instanceId });
      expect(await store.claim(session)).toBe('claimed');
      return session;
    };

    it('adds a machine once', async () => {
      const instance = await added({ phase: 'booting' });
      expect(await store.add({ ...instance, phase: 'idle' })).toBe(false);
      expect(await store.get(instance.instanceId)).toEqual(instance);
      expect(await store.get('i-nothing')).toBeUndefined();
    });

    it('lists a fleet’s machines, and those that are idle in a pool', async () => {
      const fleet = `fleet-${newTaskId()}`;
      const a = await added({ fleet });
      const b = await added({ fleet, phase: 'booting' });
      const c = await added({ fleet, pool: 'g5.xlarge/spot' });
      expect((await store.list(fleet)).map(({ instanceId }) => instanceId).sort()).toEqual(
        [a, b, c].map(({ instanceId }) => instanceId).sort(),
      );
      expect(await store.idle(fleet, a.pool)).toEqual([a.instanceId]);
      expect(await store.idle(fleet, c.pool)).toEqual([c.instanceId]);
      await store.claim(aSession({ fleet, instanceId: a.instanceId }));
      expect(await store.idle(fleet, a.pool)).toEqual([]);
      expect(await store.list('no-such-fleet')).toEqual([]);
    });

    it('moves a machine from the phases that are named only', async () => {
      const { instanceId } = await added({ phase: 'booting' });
      harness.clock.advance(5);
      expect(await store.move(instanceId, { from: ['idle'], to: 'draining' })).toBe(false);
      const patch = { checkCommandId: 'command-1' };
      expect(await store.move(instanceId, { from: ['booting'], to: 'booting', patch })).toBe(true);
      expect(await store.move(instanceId, { from: ['booting', 'idle'], to: 'idle' })).toBe(true);
      expect(await store.get(instanceId)).toMatchObject({
        phase: 'idle',
        sinceMs: harness.clock.now(),
        checkCommandId: 'command-1',
      });
      expect(await store.move('i-nothing', { from: ['idle'], to: 'draining' })).toBe(false);
    });

    it('gives an idle machine to one session', async () => {
      const session = await claimed();
      expect(await store.session(session.sessionId)).toEqual(session);
      expect(await store.get(session.instanceId)).toMatchObject({
        phase: 'busy',
        sessionId: session.sessionId,
      });
      expect(await store.claim(aSession({ instanceId: session.instanceId }))).toBe('taken');
      const booting = await added({ phase: 'booting' });
      expect(await store.claim(aSession({ instanceId: booting.instanceId }))).toBe('taken');
      expect(await store.claim(aSession({ instanceId: 'i-nothing' }))).toBe('taken');
    });

    it('gives a session one machine, also after it has ended', async () => {
      const session = await claimed();
      const other = await added();
      expect(await store.claim({ ...session, instanceId: other.instanceId })).toBe('known');
      await store.release(session.sessionId, 'idle');
      expect(await store.claim({ ...session, instanceId: other.instanceId })).toBe('known');
      expect(await store.get(other.instanceId)).toMatchObject({ phase: 'idle' });
      await store.forget(session.sessionId);
      expect(await store.claim({ ...session, instanceId: other.instanceId })).toBe('claimed');
    });

    it('leaves a machine that a session has alone', async () => {
      const { instanceId, sessionId } = await claimed();
      expect(await store.move(instanceId, { from: ['idle', 'booting'], to: 'draining' })).toBe(false);
      expect(await store.remove(instanceId)).toBe(false);
      await store.forget(sessionId);
      expect(await store.session(sessionId)).toBeDefined();
    });

    it('takes a machine back for the next session, or for its end', async () => {
      const first = await claimed();
      expect(await store.release(first.sessionId, 'idle')).toBe(true);
      expect(await store.release(first.sessionId, 'idle')).toBe(false);
      expect(await store.session(first.sessionId)).toMatchObject({ released: true });
      expect(await store.get(first.instanceId)).toMatchObject({
        phase: 'idle',
        sessionId: null,
        sessionsRun: 1,
      });
      const second = aSession({ instanceId: first.instanceId });
      expect(await store.claim(second)).toBe('claimed');
      expect(await store.release(first.sessionId, 'draining')).toBe(false);
      expect(await store.release(second.sessionId, 'draining')).toBe(true);
      expect(await store.claim(aSession({ instanceId: first.instanceId }))).toBe('taken');
      expect(await store.remove(first.instanceId)).toBe(true);
      expect(await store.remove(first.instanceId)).toBe(false);
    });

    it('can undo a claim as if it had never been', async () => {
      const session = await claimed();
      expect(await store.undo(session.sessionId, 'somebody-else', 'idle')).toBe(false);
      expect(await store.undo(session.sessionId, session.owner, 'idle')).toBe(true);
      expect(await store.undo(session.sessionId, session.owner, 'idle')).toBe(false);
      expect(await store.session(session.sessionId)).toBeUndefined();
      expect(await store.get(session.instanceId)).toMatchObject({ phase: 'idle', sessionsRun: 0 });
      const again = { ...session, sessionId: `${session.taskId}-2` };
      expect(await store.claim(again)).toBe('claimed');
      expect(await store.undo(again.sessionId, session.owner, 'draining')).toBe(true);
      expect(await store.get(session.instanceId)).toMatchObject({ phase: 'draining' });
    });

    it('lets somebody else go on with a session, whose claim then stays', async () => {
      const session = await claimed();
      expect(await store.adopt(session.sessionId, 'platform-2')).toEqual({ ...session, owner: 'platform-2' });
      expect(await store.undo(session.sessionId, session.owner, 'idle')).toBe(false);
      expect(await store.get(session.instanceId)).toMatchObject({ phase: 'busy' });
      expect(await store.adopt('nothing-1', 'platform-2')).toBeUndefined();
    });

    it('undoes no claim of a session whose machine was given back', async () => {
      const session = await claimed();
      await store.release(session.sessionId, 'idle');
      expect(await store.undo(session.sessionId, session.owner, 'idle')).toBe(false);
      expect(await store.session(session.sessionId)).toBeDefined();
    });

    it('keeps the first command and the first end of a session', async () => {
      const { sessionId } = await claimed();
      expect(await store.noteCommand(sessionId, 'command-1')).toBe(true);
      expect(await store.noteCommand(sessionId, 'command-2')).toBe(false);
      const end = { kind: 'exited', exitCode: 3, reason: 'exit code 3' } as const;
      expect(await store.noteEnd(sessionId, end)).toBe(true);
      expect(await store.noteEnd(sessionId, { ...end, exitCode: null })).toBe(false);
      expect(await store.session(sessionId)).toMatchObject({ commandId: 'command-1', end });
      expect(await store.noteCommand('nothing-1', 'command-1')).toBe(false);
      expect(await store.noteEnd('nothing-1', end)).toBe(false);
    });

    it('lists the sessions of a fleet until they are forgotten', async () => {
      const fleet = `fleet-${newTaskId()}`;
      const { instanceId } = await added({ fleet });
      const session = aSession({ fleet, instanceId });
      await store.claim(session);
      expect(await store.sessions(fleet)).toEqual([session]);
      await store.release(session.sessionId, 'idle');
      expect(await store.sessions(fleet)).toEqual([{ ...session, released: true }]);
      await store.forget(session.sessionId);
      expect(await store.sessions(fleet)).toEqual([]);
    });

    it('remembers who waits until the wish is fulfilled or dropped', async () => {
      const fleet = `fleet-${newTaskId()}`;
      const { instanceId, pool } = await added({ fleet });
      const session = aSession({ fleet, instanceId });
      const wish = { sessionId: session.sessionId, fleet, pool, untilMs: 10 };
      await store.wish(wish);
      await store.wish({ ...wish, untilMs: 20 });
      await store.wish({ ...wish, sessionId: 'other-1' });
      expect(await store.wishes(fleet)).toHaveLength(2);
      expect(await store.wishes(fleet)).toContainEqual({ ...wish, untilMs: 20 });
      await store.claim(session);
      expect((await store.wishes(fleet)).map(({ sessionId }) => sessionId)).toEqual(['other-1']);
      await store.dropWish('other-1');
      expect(await store.wishes(fleet)).toEqual([]);
    });

    it('gives a machine to exactly one of many who ask at once', async () => {
      const { instanceId } = await added();
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => store.claim(aSession({ instanceId }))),
      );
      expect(answers.filter((answer) => answer === 'claimed')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'taken')).toHaveLength(19);
    });

    it('gives one machine to a session that asks for many at once', async () => {
      const session = aSession({ instanceId: '' });
      const machines = await Promise.all(Array.from({ length: 8 }, () => added()));
      const answers = await Promise.all(
        machines.map(({ instanceId }) => store.claim({ ...session, instanceId })),
      );
      expect(answers.filter((answer) => answer === 'claimed')).toHaveLength(1);
      const after = await Promise.all(machines.map(({ instanceId }) => store.get(instanceId)));
      expect(after.filter((machine) => machine?.phase === 'busy')).toHaveLength(1);
    });

    it('has one session on a machine through any sequence of claims, releases and moves', async () => {
      const step = fc.record({
        act: fc.constantFrom('claim', 'idle', 'draining', 'move', 'forget', 'undo'),
        who: fc.constantFrom(0, 1, 2),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
          const { instanceId } = await added();
          const sessions = [0, 1, 2].map(() => aSession({ instanceId }));
          const known = new Set<number>();
          let holder: number | undefined;
          let phase = 'idle';
          for (const { act, who } of steps) {
            const { sessionId } = sessions[who] ?? aSession({ instanceId });
            const holds = holder === who;
            if (act === 'claim') {
              const answer = known.has(who) ? 'known' : phase === 'idle' ? 'claimed' : 'taken';
              expect(await store.claim(aSession({ ...sessions[who], instanceId }))).toBe(answer);
              if (answer === 'claimed') [holder, phase] = [who, 'busy'];
              if (answer === 'claimed') known.add(who);
            } else if (act === 'move') {
              const moves = phase === 'draining';
              expect(await store.move(instanceId, { from: ['draining'], to: 'idle' })).toBe(moves);
              if (moves) phase = 'idle';
            } else if (act === 'forget') {
              await store.forget(sessionId);
              if (!holds) known.delete(who);
            } else {
              const to = act === 'draining' ? 'draining' : 'idle';
              if (act === 'undo') expect(await store.undo(sessionId, 'platform-1', to)).toBe(holds);
              else expect(await store.release(sessionId, to)).toBe(holds);
              if (holds) [holder, phase] = [undefined, to];
              if (holds && act === 'undo') known.delete(who);
            }
            expect(await store.get(instanceId)).toMatchObject({
              phase,
              sessionId: holder === undefined ? null : sessions[holder]?.sessionId,
            });
          }
        }),
        { numRuns: 40 },
      );
    });
  });
}
