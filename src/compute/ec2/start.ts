import type { FleetSession } from '../../stores/instance-store.ts';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import { executionName, type Session } from '../../task/task.ts';
import type { SessionSpec, StartResult } from '../strategy.ts';
import { claimMachine } from './claim.ts';
import { dispatch, MARGIN_MS, NotDispatched } from './dispatch.ts';
import type { Fleet } from './fleet.ts';
import type { FleetParts } from './parts.ts';
import { type Pool, poolsFor } from './pools.ts';

/** Machines that turn out to be gone before a start gives up. */
const MACHINE_TRIES = 3;

/** Claims a machine and starts the session on it; a start that was begun before is found and gone on with. */
export async function startSession(parts: FleetParts, fleet: Fleet, spec: SessionSpec): Promise<StartResult> {
  const pools = poolsFor(parts.pools, spec);
  const gone = new Set<string>();
  for (let tries = 1; ; tries += 1) {
    const wanted = newSession(parts, spec);
    const claim = await claimMachine(parts, wanted, pools, gone);
    if (claim.kind === 'known') return resume(parts, spec, pools);
    if (claim.kind === 'none') {
      const earlier = await parts.instances.session(wanted.sessionId);
      if (earlier) return resume(parts, spec, pools);
      return { kind: 'no-capacity', reason: await fleet.askForMachine(wanted.sessionId, pools) };
    }
    const { session, pool } = claim;
    try {
      return await begin(parts, session, spec, pool);
    } catch (error) {
      if (!(error instanceof NotDispatched)) throw error;
      await rollBack(parts, session, error);
      if (!error.machineGone || tries === MACHINE_TRIES) throw error.failure;
      gone.add(session.instanceId);
      fleet.wake();
    }
  }
}

function newSession(parts: FleetParts, spec: SessionSpec): Omit<FleetSession, 'instanceId'> {
  return {
    sessionId: executionName(spec.taskId, spec.attempt),
    fleet: parts.fleet,
    taskId: spec.taskId,
    attempt: spec.attempt,
    owner: `${parts.owner}/${parts.newKey()}`,
    claimedAtMs: parts.now(),
    expiresAtMs: spec.deadlineAtMs + MARGIN_MS,
    payloadKey: `payloads/${parts.fleet}/${parts.newKey()}`,
    commandId: null,
    end: null,
    released: false,
  };
}

/** Of a session that is claimed. What nothing waits for (the command's id in its record, the tags) is done aside. */
async function begin(
  parts: FleetParts,
  session: FleetSession,
  spec: SessionSpec,
  pool: Pool,
): Promise<StartResult> {
  const commandId = await dispatch(parts, session, spec, pool);
  const { sessionId, instanceId } = session;
  parts.aside('compute.ec2.command_not_noted', () => parts.instances.noteCommand(sessionId, commandId));
  parts.aside('compute.ec2.tags_not_written', () =>
    parts.cloud.tag(instanceId, { status: 'busy', taskId: spec.taskId }),
  );
  return { kind: 'started', session: sessionOf(session, commandId) };
}

export const sessionOf = (session: FleetSession, commandId: string | null): Session => ({
  type: 'ec2',
  id: session.sessionId,
  ref: { instance_id: session.instanceId, command_id: commandId },
});

/**
 * Goes on with a session that was claimed before. It is made this process's first, so that whoever claimed it can't undo the
 * claim; a command that may have been sent is looked for, and sent again only to the same machine.
 */
async function resume(parts: FleetParts, spec: SessionSpec, pools: readonly Pool[]): Promise<StartResult> {
  const id = executionName(spec.taskId, spec.attempt);
  const session = await parts.instances.adopt(id, `${parts.owner}/${parts.newKey()}`);
  if (!session)
    throw new BgAgentError('COMPUTE_UNAVAILABLE', `the claim of session ${id} was undone meanwhile`);
  if (session.commandId !== null || session.end !== null || session.released)
    return { kind: 'started', session: sessionOf(session, session.commandId) };
  const machine = await parts.instances.get(session.instanceId);
  const pool = pools.find(({ name }) => name === machine?.pool) ?? pools[0];
  if (!pool) throw new BgAgentError('COMPUTE_UNAVAILABLE', `the machine of session ${id} is gone`);
  try {
    return await begin(parts, session, spec, pool);
  } catch (error) {
    // Whether an earlier try reached the machine isn't known, so the claim stays until the session is proven gone.
    throw error instanceof NotDispatched ? error.failure : error;
  }
}

/** Gives back what the start acquired. One that fails says so, with its error: the sweep finds what is left. */
async function rollBack(parts: FleetParts, session: FleetSession, cause: NotDispatched): Promise<void> {
  const { sessionId, instanceId, owner, taskId, payloadKey } = session;
  const to = cause.machineGone ? 'draining' : 'idle';
  const ids = { compute_type: 'ec2', task_id: taskId, session_id: sessionId, instance_id: instanceId };
  try {
    await parts.instances.undo(sessionId, owner, to);
    parts.log.warn(
      { event: 'compute.ec2.rolled_back', ...ids, error: cause.message },
      'the session could not be started; its machine is given back',
    );
  } catch (error) {
    parts.log.error(
      {
        event: 'compute.ec2.rollback_failed',
        error_id: 'EC2_ROLLBACK_FAILED',
        ...ids,
        cause: cause.message,
        error: messageOf(error),
      },
      'a claim could not be undone; it goes when it is found without a live task',
    );
  }
  parts.aside('compute.ec2.tags_not_written', () => parts.cloud.tag(instanceId, { status: to, taskId: '' }));
  parts.aside('compute.ec2.payload_not_deleted', () => parts.cloud.deletePayload(payloadKey));
}
