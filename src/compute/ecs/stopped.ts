import type { Container, Task } from '@aws-sdk/client-ecs';
import type { SessionState } from '../strategy.ts';

/** What ECS says of a task, as a session's state. Pure: the table is the whole policy. */

/** Statuses in the order of a task's life; a container may be over while its task is still being taken down. */
const ALIVE = new Set([
  'PROVISIONING',
  'PENDING',
  'ACTIVATING',
  'RUNNING',
  'DEACTIVATING',
  'STOPPING',
  'DEPROVISIONING',
]);
const OVER = new Set(['STOPPED', 'DELETED']);

/** Why ECS stopped a task, in words, with what to do where something can be done. */
const STOP_CODES: Readonly<Record<string, string>> = {
  TaskFailedToStart: 'the task could not be started',
  EssentialContainerExited: 'the runner ended',
  UserInitiated: 'it was stopped by a call of StopTask',
  ServiceSchedulerInitiated: 'a scheduler of ECS stopped it',
  SpotInterruption: 'Fargate Spot took its capacity back',
  TerminationNotice: 'its machine was taken out of service',
  InfrastructureHealth: 'its machine failed',
};

/** Stops that say nothing against the work: it can go on elsewhere. */
const TAKEN_AWAY = new Set(['SpotInterruption', 'TerminationNotice', 'InfrastructureHealth']);

/** Kinds of errors with which a reason begins. */
const REASON_KINDS: Readonly<Record<string, string>> = {
  CannotPullContainerError:
    'check the image of the task definition, the execution role and the way to the registry',
  ResourceInitializationError: 'check the execution role and the way to AWS from ecs_subnets',
  OutOfMemoryError: 'raise the memory of the task definition, or lower agent_max_memory_mb',
  CannotStartContainerError: 'check the command and the memory of the task definition',
  CannotCreateContainerError: 'check the task definition',
  ContainerRuntimeTimeoutError: 'try again',
};

/** `unknown`: a status that this table doesn't have, for the log; such a task counts as running. */
export function sessionState(
  task: Task | undefined,
  containerName: string,
): { state: SessionState; unknown?: string } {
  if (!task) return { state: { kind: 'missing' } };
  const container = task.containers?.find(({ name }) => name === containerName) ?? task.containers?.[0];
  const status = task.lastStatus ?? '';
  if (OVER.has(status) || container?.lastStatus === 'STOPPED') {
    const reason = stopReason(task, container);
    if (TAKEN_AWAY.has(task.stopCode ?? '')) return { state: { kind: 'interrupted', reason } };
    return { state: { kind: 'exited', exitCode: container?.exitCode ?? null, reason } };
  }
  return ALIVE.has(status)
    ? { state: { kind: 'running' } }
    : { state: { kind: 'running' }, unknown: `status ${status}` };
}

function stopReason(task: Task, container: Container | undefined): string {
  const { stopCode, stoppedReason } = task;
  const parts = [
    stopCode === undefined ? undefined : (STOP_CODES[stopCode] ?? stopCode),
    container?.exitCode === undefined ? undefined : exitText(container.exitCode),
    container?.reason,
    stoppedReason === container?.reason ? undefined : stoppedReason,
  ].filter((part) => part !== undefined && part !== '');
  const advice = [container?.reason, stoppedReason]
    .map((reason) => REASON_KINDS[reason?.split(':', 1)[0] ?? ''])
    .find((text) => text !== undefined);
  const text = parts.join('; ') || 'ECS gave no reason';
  return advice === undefined ? text : `${text} (${advice})`;
}

/** Exit codes beyond 128 are signals, as Docker tells them. */
function exitText(exitCode: number): string {
  if (exitCode === 137) return 'exit code 137: killed, by the end of stopTimeout or for want of memory';
  if (exitCode === 143) return 'exit code 143: ended by SIGTERM';
  return `exit code ${exitCode}`;
}
