import { BgAgentError, codeOf } from '../../task/errors.ts';
import type { Session, Task } from '../../task/task.ts';
import { type Claim, ownWantedTask } from '../claim.ts';
import type { OrchestratorDeps } from '../dependencies.ts';

export type SessionStart = { kind: 'started' } | { kind: 'waiting' };

/** Time past the deadline during which the runner may still report. */
const TOKEN_MARGIN_MS = 24 * 3_600_000;

/** Gives the attempt a place to run; "no capacity" makes it wait, with the reason on the task. */
export async function startSession(deps: OrchestratorDeps, claim: Claim): Promise<SessionStart> {
  const { stores, now } = deps;
  const beganAt = now();
  await stores.wakeups.take(claim.taskId);
  const task = await ownWantedTask(stores, claim);
  if (task.session !== null && belongsTo(task.session, claim)) return { kind: 'started' };
  if (task.session !== null) await endEarlierSession(deps, task, task.session);

  const strategy = deps.computeFor(task.compute_type);
  const deadlineAtMs = beganAt + task.deadline_s * 1_000;
  const answer = await strategy.start({
    taskId: task.task_id,
    attempt: claim.attempt,
    token: await deps.issueTaskToken({ ...claim, expiresAtMs: deadlineAtMs + TOKEN_MARGIN_MS }),
    readOnly: deps.workflows.resolve(task.resolved_workflow.id).read_only,
    instanceType: task.instance_type,
    deadlineAtMs,
  });
  if (answer.kind === 'no-capacity') {
    await waitForRoom(deps, task, answer.reason);
    return { kind: 'waiting' };
  }
  try {
    await recordSession(deps, task, claim, answer.session, beganAt);
  } catch (error) {
    // The task moved on without us: nobody will ever look after this session.
    if (codeOf(error) === 'TASK_MOVED') await strategy.stop(answer.session, { graceMs: 0 });
    throw codeOf(error) === 'TASK_MOVED'
      ? new BgAgentError('EPOCH_STALE', 'the task moved on while its session started', { cause: error })
      : error;
  }
  return { kind: 'started' };
}

async function recordSession(
  { stores, now }: OrchestratorDeps,
  task: Task,
  claim: Claim,
  session: Session,
  beganAt: number,
): Promise<void> {
  const at = now();
  const patch = {
    session,
    waiting_for: null,
    started_at: new Date(at).toISOString(),
    last_heartbeat_at: null,
    timings: { ...task.timings, start_ms: at - beganAt },
  };
  const event = {
    type: 'session_started',
    metadata: { session_id: session.id, compute_type: session.type, attempt: claim.attempt },
  } as const;
  if (task.status === 'HYDRATING')
    await stores.tasks.transition(
      task.task_id,
      { from: 'HYDRATING', to: 'RUNNING', attempt: claim.attempt, patch },
      [event],
    );
  else await stores.tasks.update(task.task_id, { when: { attempt: claim.attempt }, patch }, [event]);
}

async function waitForRoom({ stores }: OrchestratorDeps, task: Task, reason: string): Promise<void> {
  const waitingFor = `room on the ${task.compute_type} backend: ${reason}`;
  if (task.waiting_for !== null) return;
  await stores.tasks.update(
    task.task_id,
    { when: { attempt: task.attempt }, patch: { waiting_for: waitingFor } },
    [{ type: 'capacity_waiting', metadata: { compute_type: task.compute_type, reason } }],
  );
}

/** An earlier attempt's session is refused by its epoch; it is stopped all the same before a new one starts. */
async function endEarlierSession(
  { stores, computeFor, settings }: OrchestratorDeps,
  task: Task,
  session: Session,
): Promise<void> {
  const strategy = computeFor(session.type);
  await strategy.stop(session, { graceMs: settings.cancel_grace_s * 1_000 });
  await strategy.cleanUp(session);
  await stores.tasks.update(task.task_id, { when: { attempt: task.attempt }, patch: { session: null } }, [
    { type: 'session_ended', metadata: { session_id: session.id, reason: 'a new attempt takes over' } },
  ]);
}

/** Session ids carry task and attempt (`<task id>-<attempt>`), whatever the backend. */
const belongsTo = (session: Session, claim: Claim): boolean =>
  session.id === `${claim.taskId}-${claim.attempt}`;
