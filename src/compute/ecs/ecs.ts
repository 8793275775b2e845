import { setTimeout as delay } from 'node:timers/promises';
import type { ECSClient } from '@aws-sdk/client-ecs';
import { z } from 'zod';
import { awsErrorName } from '../../aws/failure.ts';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';
import { executionName, type Session } from '../../task/task.ts';
import { awsFailure, isRefusal } from '../aws-failure.ts';
import { type Handover, IMAGE_PLACE, type RunnerPlace } from '../handover.ts';
import type { ComputeEvents, ComputeStrategy, SessionSpec, SessionState, StartResult } from '../strategy.ts';
import { createTaskReader } from './reader.ts';
import { type EcsTaskShape, noRoom, noRoomError, runTaskInput } from './run-task.ts';
import { sessionState } from './stopped.ts';
import { createSessionWatch } from './watch.ts';

export interface EcsComputeOptions extends EcsTaskShape {
  /** Made at the first use. */
  client(): Promise<ECSClient>;
  handover: Handover;
  events: ComputeEvents;
  /** How often all live sessions are read, in milliseconds; null = never, for who is told of ends by EventBridge. */
  pollMs: number | null;
  now(): number;
  log: Pick<Log, 'warn'>;
  /** What the image is like. Default: the project's. */
  place?: RunnerPlace;
  /** Pause between two looks at a task that is being stopped. Default 1,000 ms. */
  stopPollMs?: number;
}

/** A task's image is pulled each time, and its network interface made: that takes a minute or two. */
const START_ALLOWANCE_MS = 180_000;
/** What ECS may take beyond the grace to stop a task: the rest of its stopTimeout (120 s at most), and its own work. */
const STOP_MARGIN_MS = 150_000;

/** ECS answers reads from copies that may lag behind: so long a task that it doesn't know yet counts as started. */
const SETTLE_MS = 60_000;

const refSchema = z.object({ taskArn: z.string(), startedAtMs: z.number() });
type Ref = z.infer<typeof refSchema>;

/** Runs each attempt of a task as a task of Amazon ECS on Fargate. `close` ends the watch; tasks go on. */
export function createEcsCompute(options: EcsComputeOptions): ComputeStrategy & { close(): void } {
  const { cluster, container, handover, events, log, place = IMAGE_PLACE, stopPollMs = 1_000 } = options;
  const reader = createTaskReader(options);
  const starting = new Map<string, Promise<StartResult>>();
  const failure = (error: unknown, permission: string): BgAgentError =>
    awsFailure(error, { what: `ECS cluster ${cluster}`, setting: 'ecs_cluster', permission });

  async function read({ taskArn, startedAtMs }: Ref): Promise<SessionState> {
    try {
      const { state, unknown } = sessionState(await reader.read(taskArn), container);
      if (unknown !== undefined)
        log.warn(
          { event: 'compute.ecs.unknown_state', task_arn: taskArn, value: unknown },
          'taken for running',
        );
      if (state.kind === 'missing' && options.now() < startedAtMs + SETTLE_MS) return { kind: 'running' };
      return state;
    } catch (error) {
      throw failure(error, 'ecs:DescribeTasks');
    }
  }

  const watch = createSessionWatch({
    pollMs: options.pollMs,
    now: options.now,
    read,
    ended(id) {
      const at = id.lastIndexOf('-');
      events.sessionEnded(id.slice(0, at), Number(id.slice(at + 1)));
      events.capacityFreed();
    },
    failed: (error) =>
      log.warn({ event: 'compute.ecs.watch_failed', error: messageOf(error) }, 'tasks could not be read'),
  });

  const sessionOf = (id: string, taskArn: string): Session => {
    const ref: Ref = { taskArn, startedAtMs: options.now() };
    watch.add(id, ref);
    return { type: 'ecs', id, ref };
  };

  async function start(id: string, spec: SessionSpec): Promise<StartResult> {
    const { url } = await handover.put('ecs', spec, place);
    try {
      const { RunTaskCommand } = await import('@aws-sdk/client-ecs');
      const { tasks = [], failures = [] } = await (await options.client()).send(
        new RunTaskCommand(runTaskInput(options, spec, url)),
      );
      const arn = tasks[0]?.taskArn;
      if (arn !== undefined) return { kind: 'started', session: sessionOf(id, arn) };
      const reason = noRoom(failures, options);
      await handover.remove('ecs', id);
      return { kind: 'no-capacity', reason };
    } catch (error) {
      const running = await alreadyStarted(id, error);
      if (running !== undefined) return { kind: 'started', session: sessionOf(id, running) };
      const reason = noRoomError(error, options);
      // Where the answer was lost, the task may be running, and needs what it was given.
      if (reason !== undefined || error instanceof BgAgentError || isRefusal(error)) await giveBack(id);
      if (reason !== undefined) return { kind: 'no-capacity', reason };
      throw runTaskFailure(error);
    }
  }

  /** The token was used before, with another signed address: a task of this attempt is there. */
  async function alreadyStarted(id: string, error: unknown): Promise<string | undefined> {
    if (awsErrorName(error) !== 'ConflictException') return undefined;
    const { ConflictException } = await import('@aws-sdk/client-ecs');
    return (error instanceof ConflictException ? error.resourceIds?.[0] : undefined) ?? (await find(id));
  }

  async function giveBack(id: string): Promise<void> {
    await handover.remove('ecs', id).catch((error: unknown) => {
      log.warn(
        { event: 'compute.ecs.rollback_failed', session_id: id, error: messageOf(error) },
        'the bootstrap of a session that did not start is left over',
      );
    });
  }

  function runTaskFailure(error: unknown): BgAgentError {
    const settings = ['InvalidParameterException', 'ClientException', 'PlatformUnknownException'];
    if (settings.includes(awsErrorName(error)))
      return new BgAgentError(
        'COMPUTE_MISCONFIGURED',
        `ECS refuses the task: ${messageOf(error)}: check the settings ecs_task_definition, ecs_container, ecs_subnets and ecs_security_groups`,
        { cause: error },
      );
    return failure(error, 'ecs:RunTask (with iam:PassRole and ecs:TagResource)');
  }

  /** The task of a session whose ARN is not known: running ones, else those that ECS still remembers. */
  async function find(id: string): Promise<string | undefined> {
    const { ListTasksCommand } = await import('@aws-sdk/client-ecs');
    try {
      const client = await options.client();
      for (const desiredStatus of ['RUNNING', 'STOPPED'] as const) {
        const { taskArns = [] } = await client.send(
          new ListTasksCommand({ cluster, startedBy: id, desiredStatus }),
        );
        if (taskArns[0] !== undefined) return taskArns[0];
      }
      return undefined;
    } catch (error) {
      throw failure(error, 'ecs:ListTasks');
    }
  }

  async function refOf({ id, ref }: Session): Promise<Ref | undefined> {
    const known = refSchema.safeParse(ref).data ?? watch.refOf(id);
    if (known) return known;
    const taskArn = await find(id);
    return taskArn === undefined ? undefined : { taskArn, startedAtMs: 0 };
  }

  /** False when ECS doesn't know the task: not yet, or not any more. */
  async function requestStop(arn: string): Promise<boolean> {
    const { StopTaskCommand } = await import('@aws-sdk/client-ecs');
    try {
      await (await options.client()).send(
        new StopTaskCommand({ cluster, task: arn, reason: 'stopped by bgagent' }),
      );
      return true;
    } catch (error) {
      if (awsErrorName(error) === 'InvalidParameterException') return false;
      throw failure(error, 'ecs:StopTask');
    }
  }

  return {
    type: 'ecs',
    capabilities: {
      reportsExit: true,
      startAllowanceMs: START_ALLOWANCE_MS,
      maxSessions: null,
      interruptible: options.capacityProvider === 'FARGATE_SPOT',
    },
    start(spec) {
      const id = executionName(spec.taskId, spec.attempt);
      const running = starting.get(id) ?? start(id, spec).finally(() => starting.delete(id));
      starting.set(id, running);
      return running;
    },

    async describe(session, { fresh = false } = {}) {
      const recent = fresh ? undefined : watch.recent(session.id);
      if (recent) return recent;
      const ref = await refOf(session);
      if (ref === undefined) return { kind: 'missing' };
      watch.add(session.id, ref);
      const state = await read(ref);
      watch.note(session.id, state);
      return state;
    },

    async stop(session, { graceMs }) {
      const ref = await refOf(session);
      if (ref === undefined) return;
      let state = await read(ref);
      let requested = false;
      const until = options.now() + graceMs + STOP_MARGIN_MS;
      for (; state.kind === 'running'; state = await read(ref)) {
        if (!requested) requested = await requestStop(ref.taskArn);
        if (options.now() > until)
          throw new BgAgentError('COMPUTE_UNAVAILABLE', `ECS does not stop task ${ref.taskArn}`);
        await delay(stopPollMs);
      }
      watch.note(session.id, state);
    },

    async list() {
      return (await handover.list('ecs')).map((id) => ({ type: 'ecs', id, ref: null }));
    },

    async cleanUp(session) {
      await handover.remove('ecs', session.id);
      watch.drop(session.id);
    },

    close: () => watch.close(),
  };
}
