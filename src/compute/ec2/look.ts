import type { FleetSession } from '../../stores/instance-store.ts';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import type { Fleet } from './fleet.ts';
import type { FleetParts } from './parts.ts';
import { verdictOf } from './ssm.ts';
import { isGone, stopSession } from './stop.ts';

/** How long a command that was just sent may be unknown. */
const UNKNOWN_MS = 60_000;

/** How sessions are doing, asked of AWS for all of them together. */
export interface Look {
  /** Asks for one session, and keeps what it learns. Throws COMPUTE_UNAVAILABLE when it can't be told. */
  at(session: FleetSession): Promise<void>;
  /** Looks at the commands of all sessions, now. */
  now(): Promise<void>;
  /** Looks again and again until `close`. */
  start(): Promise<void>;
  close(): void;
}

/**
 * Looks at a fleet at work every `watchMs`, for the events that don't come: the commands that run (50 a call) and the machines
 * (1,000 a call), by turns. Nothing runs, nothing is asked.
 */
export function createLook(parts: FleetParts, fleet: Fleet): Look {
  const { instances, cloud, limits, now, log } = parts;
  let turn = 0;
  let closed = false;

  async function at(session: FleetSession): Promise<void> {
    const { commandId, instanceId, sessionId, taskId, claimedAtMs } = session;
    const invocation = commandId === null ? undefined : await cloud.invocation(commandId, instanceId);
    if (!invocation) {
      if (now() < claimedAtMs + UNKNOWN_MS) return;
      throw new BgAgentError(
        'COMPUTE_UNAVAILABLE',
        `Systems Manager knows no command of session ${sessionId} on ${instanceId}`,
      );
    }
    const verdict = verdictOf(invocation);
    if (verdict.kind === 'unknown')
      log.warn(
        {
          event: 'compute.ec2.unknown_status',
          compute_type: 'ec2',
          task_id: taskId,
          status: verdict.status,
        },
        'Systems Manager gave a status that is not known; the session counts as running',
      );
    if (verdict.kind !== 'ended') return;
    const { exitCode, interrupted, reason } = verdict;
    if (exitCode === null && !(await isGone(parts, instanceId))) {
      // A script that was killed leaves its container alone: the runner's reports and heartbeat decide.
      log.warn(
        { event: 'compute.ec2.command_lost', compute_type: 'ec2', task_id: taskId, reason },
        'the command of a session has ended, which is no proof that the session has',
      );
      return;
    }
    await fleet.noteEnd(session, { kind: interrupted ? 'interrupted' : 'exited', exitCode, reason });
  }

  async function lookAtCommands(live: readonly FleetSession[]): Promise<void> {
    const executing = await cloud.executing('start');
    for (const session of live)
      if (session.commandId !== null && !executing.has(session.commandId)) await at(session);
  }

  const liveSessions = async (): Promise<FleetSession[]> =>
    (await instances.sessions(parts.fleet)).filter(({ end, released }) => end === null && !released);

  async function tick(): Promise<void> {
    const live = await liveSessions();
    if (live.length === 0) return;
    for (const { sessionId, expiresAtMs } of live)
      if (expiresAtMs <= now()) await stopSession(parts, fleet, sessionId, { graceMs: 0 });
    turn += 1;
    if (turn % 2 === 1) await lookAtCommands(live);
    else await lookAtMachines(live);
  }

  async function lookAtMachines(live: readonly FleetSession[]): Promise<void> {
    const machines = new Map((await cloud.machines()).map((machine) => [machine.instanceId, machine]));
    // The sweep forgets the machine and tells of its session.
    if (live.some(({ instanceId }) => machines.get(instanceId)?.state === 'terminated')) fleet.wake();
  }

  return {
    at,
    async now() {
      const live = await liveSessions();
      if (live.length > 0) await lookAtCommands(live);
    },
    async start() {
      while (!closed) {
        await parts.delay(limits.watchMs);
        if (closed) return;
        await tick().catch((error: unknown) =>
          log.warn(
            { event: 'compute.ec2.look_failed', compute_type: 'ec2', error: messageOf(error) },
            'the sessions of the fleet could not be looked at',
          ),
        );
      }
    },
    close() {
      closed = true;
    },
  };
}
