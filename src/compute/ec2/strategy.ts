import { executionName } from '../../task/task.ts';
import type { ComputeStrategy, SessionState, StartResult } from '../strategy.ts';
import { createFleet } from './fleet.ts';
import { createLook } from './look.ts';
import { createParts, type Ec2ComputeOptions } from './parts.ts';
import { takeBack } from './spot.ts';
import { sessionOf, startSession } from './start.ts';
import { stopSession } from './stop.ts';

/** From the command to the first heartbeat: delivery, pull of an image that changed, clone of a large repository. */
const START_ALLOWANCE_MS = 180_000;

export interface Ec2Compute extends ComputeStrategy {
  /** Begins to look after the fleet. Call it before the first start. */
  attach(): void;
  /** Looks at machines and commands once, now: what events of AWS lead to. Events that come at once share a look. */
  sweep(): Promise<void>;
  /** AWS says that it takes a machine back: its session pushes what there is and goes on elsewhere. */
  takeBack(instanceId: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Runs each attempt of a task on a machine of an EC2 fleet that it has to itself. The records of the instance store decide who
 * has which machine; AWS is told afterwards.
 */
export function createEc2Compute(options: Ec2ComputeOptions): Ec2Compute {
  const parts = createParts(options);
  const fleet = createFleet(parts);
  const look = createLook(parts, fleet);
  const { instances } = parts;
  /** Starts under way in this process, so that two starts of one attempt share one. */
  const starting = new Map<string, Promise<StartResult>>();

  return {
    type: 'ec2',
    capabilities: {
      reportsExit: false,
      startAllowanceMs: START_ALLOWANCE_MS,
      maxSessions: null,
      instanceTypes: [...new Set(parts.pools.map(({ type }) => type))],
      interruptible: true,
    },
    attach() {
      void look.start();
      fleet.wake();
    },
    sweep: shared(async () => {
      await Promise.all([fleet.sweep(), look.now()]);
    }),
    takeBack: (instanceId) => takeBack(parts, fleet, instanceId),
    async close() {
      fleet.close();
      look.close();
      await parts.settled();
    },

    start(spec) {
      const id = executionName(spec.taskId, spec.attempt);
      const running = starting.get(id) ?? startSession(parts, fleet, spec).finally(() => starting.delete(id));
      starting.set(id, running);
      return running;
    },

    async describe({ id }, { fresh = false } = {}): Promise<SessionState> {
      let session = await instances.session(id);
      if (session && fresh && session.end === null && !session.released) {
        await look.at(session);
        session = await instances.session(id);
      }
      if (!session) return { kind: 'missing' };
      if (session.end === null)
        return session.released
          ? { kind: 'exited', exitCode: null, reason: 'its machine was given back' }
          : { kind: 'running' };
      const { kind, exitCode, reason } = session.end;
      return kind === 'interrupted' ? { kind, reason } : { kind, exitCode, reason };
    },

    stop: ({ id }, { graceMs }) => stopSession(parts, fleet, id, { graceMs }),

    async list() {
      const [sessions, wishes] = await Promise.all([
        instances.sessions(parts.fleet),
        instances.wishes(parts.fleet),
      ]);
      return [
        ...sessions.map((session) => sessionOf(session, session.commandId)),
        // Who waits is looked after like who runs: a wish without a live task is dropped.
        ...wishes.map(({ sessionId }) => ({ type: 'ec2', id: sessionId, ref: null })),
      ];
    },

    async cleanUp({ id }) {
      const session = await instances.session(id);
      if (session && !session.released) return;
      if (session) await parts.cloud.deletePayload(session.payloadKey);
      await instances.forget(id);
    },
  };
}

/** Calls that come while `work` runs share one run after it: they may be about what it has passed already. */
function shared(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (!running) return begin();
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return begin();
      });
    return next;
  };
}
