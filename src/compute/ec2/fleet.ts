import type { FleetSession, SessionEnd } from '../../stores/instance-store.ts';
import { messageOf } from '../../task/errors.ts';
import type { FleetParts } from './parts.ts';
import type { Pool } from './pools.ts';
import { type Swept, sweep } from './sweep.ts';

/** How long a wish stands that is not repeated: longer than a waiting task sleeps. */
const WISH_MS = 2 * 3_600_000;

/** The machines behind the sessions: asked for, given back, ended. */
export interface Fleet {
  /** Records that a session waits, sees to it that a machine comes, and says why it waits. */
  askForMachine(sessionId: string, pools: readonly Pool[]): Promise<string>;
  /** Takes a session's machine back, for the next session or for its end. */
  giveBack(session: FleetSession, end: Pick<SessionEnd, 'kind'>): Promise<void>;
  /** Writes how a session ended, and tells of it, once. */
  noteEnd(session: Pick<FleetSession, 'sessionId' | 'taskId' | 'attempt'>, end: SessionEnd): Promise<void>;
  /** Ends a machine whatever it does. */
  endMachine(instanceId: string): Promise<void>;
  /** Sweeps soon, and again as long as something is unsettled. */
  wake(): void;
  /** One sweep, now. */
  sweep(): Promise<void>;
  close(): void;
}

export function createFleet(parts: FleetParts): Fleet {
  const { instances, cloud, limits, events, log } = parts;
  let last: Swept | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let closed = false;
  /** Of several pauses only the last one counts. */
  let pause = 0;

  const groupOf = (pool: string): string | undefined => parts.pools.find(({ name }) => name === pool)?.group;

  async function noteEnd(
    session: Pick<FleetSession, 'sessionId' | 'taskId' | 'attempt'>,
    end: SessionEnd,
  ): Promise<void> {
    if (await instances.noteEnd(session.sessionId, end)) events.sessionEnded(session.taskId, session.attempt);
  }

  let toldProblem = '';

  async function sweepOnce(): Promise<void> {
    const swept = await sweep(parts);
    last = swept;
    for (const { sessionId, interrupted, reason } of swept.lost) {
      const session = await instances.session(sessionId);
      if (!session) continue;
      await instances.release(sessionId, 'draining');
      await noteEnd(session, { kind: interrupted ? 'interrupted' : 'exited', exitCode: null, reason });
    }
    if (swept.ready > 0) events.capacityFreed();
  }

  function wake(): void {
    if (closed) return;
    again = true;
    if (running) return;
    pause += 1;
    again = false;
    running = sweepOnce()
      .then(() => {
        toldProblem = '';
        return last?.unsettled ?? false;
      })
      .catch((error: unknown) => {
        // The same trouble at every look is told once.
        const isNew = messageOf(error) !== toldProblem;
        toldProblem = messageOf(error);
        log[isNew ? 'error' : 'debug'](
          {
            event: 'compute.ec2.sweep_failed',
            error_id: 'EC2_SWEEP_FAILED',
            compute_type: 'ec2',
            error: messageOf(error),
          },
          'the fleet could not be looked at',
        );
        return true;
      })
      .then((unsettled) => {
        running = undefined;
        if (closed || !(unsettled || again)) return;
        const mine = pause;
        void parts.delay(limits.sweepMs).then(() => {
          if (mine === pause) wake();
        });
      });
  }

  async function retire(instanceId: string, pool: string): Promise<void> {
    const group = groupOf(pool);
    if (group === undefined) return;
    const demand = last?.demands.get(pool);
    // Its place is kept for who waits, and for the warm ones; the next sweep makes up for what this can't know.
    const decrement = demand === undefined || (demand.wished === 0 && demand.alive - 1 >= demand.target - 1);
    await cloud.terminate(group, instanceId, { decrement });
  }

  return {
    wake,
    noteEnd,
    sweep: sweepOnce,
    close() {
      closed = true;
    },

    async askForMachine(sessionId, pools) {
      const pool = pools.find(({ name }) => !last?.problems.has(name)) ?? pools.at(-1);
      if (pool)
        await instances.wish({
          sessionId,
          fleet: parts.fleet,
          pool: pool.name,
          untilMs: parts.now() + WISH_MS,
        });
      wake();
      return why(last, pools);
    },

    async giveBack({ sessionId, instanceId, taskId }, end) {
      // What AWS takes away is nobody's next machine.
      const to = limits.reuse && end.kind !== 'interrupted' ? 'idle' : 'draining';
      if (!(await instances.release(sessionId, to))) return;
      parts.aside('compute.ec2.tags_not_written', () => cloud.tag(instanceId, { status: to, taskId: '' }));
      log.info(
        { event: 'compute.ec2.released', compute_type: 'ec2', task_id: taskId, instance_id: instanceId },
        'a machine was given back',
      );
      if (to === 'idle') events.capacityFreed();
      else {
        parts.aside('compute.ec2.retire_failed', async () => {
          const machine = await instances.get(instanceId);
          if (machine) await retire(instanceId, machine.pool);
        });
      }
      wake();
    },

    async endMachine(instanceId) {
      const machine = await instances.get(instanceId);
      const group = machine && groupOf(machine.pool);
      if (group !== undefined) await cloud.terminate(group, instanceId, { decrement: false });
      wake();
    },
  };
}

function why(last: Swept | undefined, pools: readonly Pool[]): string {
  const parts = pools.map(({ name }) => {
    const problem = last?.problems.get(name);
    const demand = last?.demands.get(name);
    const counts = demand ? ` (${demand.busy} busy, ${demand.booting} booting)` : '';
    return `${name}${counts}${problem === undefined ? '' : `: ${problem}`}`;
  });
  return `no idle machine of ${parts.join(', or ')}; one is asked for`;
}
