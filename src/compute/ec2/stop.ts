import type { FleetSession, SessionEnd } from '../../stores/instance-store.ts';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import type { Fleet } from './fleet.ts';
import type { FleetParts } from './parts.ts';
import { executionTimeoutS, stopComment, verdictOf } from './ssm.ts';

/** What the program on the instance needs beside the grace, in milliseconds: `stop-session` takes it off again. */
const PROGRAM_MS = 60_000;
/** How long delivery may take: shorter than an agent may go on after a cancel, for a machine that answers. */
const DELIVERY_S = 30;

/** Ends a session and gives its machine back once it is proven gone. `as`: how it ended, where that isn't known otherwise. */
export async function stopSession(
  parts: FleetParts,
  fleet: Fleet,
  sessionId: string,
  { graceMs, as }: { graceMs: number; as?: Pick<SessionEnd, 'kind' | 'reason'> },
): Promise<void> {
  const session = await parts.instances.session(sessionId);
  if (!session || session.released) return;
  const end = (await provenEnd(parts, session)) ?? {
    ...(await endOnMachine(parts, fleet, session, graceMs)),
    ...as,
  };
  // Its machine is free when its end is told.
  await fleet.giveBack(session, end);
  await fleet.noteEnd(session, end);
}

/** How the session ended, if that is proven already: its program ended by itself, or its machine is gone. */
async function provenEnd(parts: FleetParts, session: FleetSession): Promise<SessionEnd | undefined> {
  if (session.end && session.end.exitCode !== null) return session.end;
  if (session.end && (await isGone(parts, session.instanceId))) return session.end;
  if (session.commandId === null) return undefined;
  const invocation = await parts.cloud.invocation(session.commandId, session.instanceId);
  const verdict = invocation && verdictOf(invocation);
  if (verdict?.kind !== 'ended' || verdict.exitCode === null) return undefined;
  return {
    kind: verdict.interrupted ? 'interrupted' : 'exited',
    exitCode: verdict.exitCode,
    reason: verdict.reason,
  };
}

/**
 * The stop document ends the unit that the session's container belongs to, and succeeds when it is proven gone; only then the start
 * command is cancelled, since that alone would leave the container alive. A machine that does not do it is ended.
 */
async function endOnMachine(
  parts: FleetParts,
  fleet: Fleet,
  session: FleetSession,
  graceMs: number,
): Promise<SessionEnd> {
  const { instanceId, taskId, attempt, commandId } = session;
  let stopped = false;
  try {
    stopped = await runStop(parts, session, graceMs);
  } catch (error) {
    parts.log.warn(
      {
        event: 'compute.ec2.stop_failed',
        compute_type: 'ec2',
        task_id: taskId,
        instance_id: instanceId,
        error: messageOf(error),
      },
      'the session could not be stopped on its machine; the machine is ended',
    );
  }
  if (!stopped && !(await isGone(parts, instanceId))) {
    await fleet.endMachine(instanceId);
    await untilGone(parts, instanceId);
    return { kind: 'exited', exitCode: null, reason: 'stopped with its machine' };
  }
  if (commandId !== null)
    parts.aside('compute.ec2.cancel_command_failed', () => parts.cloud.cancelCommand(commandId, instanceId));
  return { kind: 'exited', exitCode: null, reason: `attempt ${attempt} was stopped` };
}

/** True when the program on the machine says that the session is gone. */
async function runStop(parts: FleetParts, session: FleetSession, graceMs: number): Promise<boolean> {
  const { cloud, limits, now, delay } = parts;
  const commandId = await cloud.sendCommand({
    document: 'stop',
    instanceId: session.instanceId,
    parameters: {
      Task: session.taskId,
      Epoch: String(session.attempt),
      executionTimeout: executionTimeoutS(graceMs + PROGRAM_MS),
    },
    comment: stopComment(session),
    deliveryTimeoutS: DELIVERY_S,
  });
  for (const until = now() + graceMs + PROGRAM_MS + DELIVERY_S * 1_000; now() < until; ) {
    const invocation = await cloud.invocation(commandId, session.instanceId);
    const verdict = invocation && verdictOf(invocation);
    if (verdict?.kind === 'ended') return verdict.exitCode === 0;
    await delay(limits.pollMs);
  }
  return false;
}

async function untilGone(parts: FleetParts, instanceId: string): Promise<void> {
  for (const until = parts.now() + parts.limits.bootMs; ; await parts.delay(parts.limits.pollMs)) {
    if (await isGone(parts, instanceId)) return;
    if (parts.now() > until)
      throw new BgAgentError('COMPUTE_UNAVAILABLE', `instance ${instanceId} does not end`);
  }
}

/** Whether nothing runs on it any more. */
export async function isGone({ cloud }: Pick<FleetParts, 'cloud'>, instanceId: string): Promise<boolean> {
  const machine = await cloud.machine(instanceId);
  return machine === undefined || machine.state === 'terminated' || machine.state === 'stopped';
}
