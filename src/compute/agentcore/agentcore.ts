import type { BedrockAgentCoreClient } from '@aws-sdk/client-bedrock-agentcore';
import { z } from 'zod';
import { awsErrorName } from '../../aws/failure.ts';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import { parseJson } from '../../task/json.ts';
import type { Log } from '../../task/log.ts';
import { executionName, type Session } from '../../task/task.ts';
import { awsFailure, isRefusal } from '../aws-failure.ts';
import { type Handover, IMAGE_PLACE, type RunnerPlace } from '../handover.ts';
import type { ComputeEvents, ComputeStrategy, SessionSpec, StartResult } from '../strategy.ts';

export interface AgentCoreComputeOptions {
  /** Made at the first use. */
  client(): Promise<BedrockAgentCoreClient>;
  /** ARN of the agent runtime whose image is the runner's. */
  runtimeArn: string;
  /** Endpoint of the runtime. */
  qualifier: string;
  /** On whose behalf sessions run, as AgentCore's identity service knows it. Needs a permission of its own; null = nobody's. */
  userId: string | null;
  handover: Handover;
  events: ComputeEvents;
  log: Pick<Log, 'warn'>;
  /** What the image is like. Default: the project's. */
  place?: RunnerPlace;
}

/** A session ends after 8 hours, whatever it does: time to push has to be left, and to start. */
const MAX_DEADLINE_S = 7.5 * 3_600;
/** A fresh micro-VM pulls its image. */
const START_ALLOWANCE_MS = 120_000;

const replySchema = z.object({
  status: z.enum(['started', 'already-started', 'ended', 'still-running', 'not-started']),
});
type Reply = z.infer<typeof replySchema>;

/** The answers to a start that end by themselves. */
const NO_ROOM = new Set(['ServiceQuotaExceededException', 'ThrottlingException', 'LimitExceededException']);

/**
 * Runs each attempt of a task as a session of Amazon Bedrock AgentCore. There is no way to ask how a session is, and invoking one
 * that has ended starts a fresh one: whether it lives is told by its runner's heartbeat, and nothing is ever invoked to find out.
 */
export function createAgentCoreCompute(options: AgentCoreComputeOptions): ComputeStrategy {
  const { runtimeArn, qualifier, handover, events, log, place = IMAGE_PLACE } = options;
  const starting = new Map<string, Promise<StartResult>>();
  /** Of this process: whether a session was started is never found out by starting it. */
  const started = new Set<string>();
  const stopped = new Set<string>();
  const failure = (error: unknown, permission: string): BgAgentError =>
    awsFailure(error, {
      what: `the AgentCore runtime ${runtimeArn}`,
      setting: 'agentcore_runtime_arn',
      permission,
    });

  async function invoke(id: string, payload: Record<string, unknown>): Promise<Reply> {
    const { InvokeAgentRuntimeCommand } = await import('@aws-sdk/client-bedrock-agentcore');
    const { response } = await (await options.client()).send(
      new InvokeAgentRuntimeCommand({
        agentRuntimeArn: runtimeArn,
        qualifier,
        runtimeSessionId: runtimeSessionId(id),
        ...(options.userId === null ? {} : { runtimeUserId: options.userId }),
        contentType: 'application/json',
        accept: 'application/json',
        payload: JSON.stringify({ ...taskOf(id), ...payload }),
      }),
    );
    const text = (await response?.transformToString()) ?? '';
    const reply = replySchema.safeParse(parseJson(text));
    if (reply.success) return reply.data;
    throw new BgAgentError(
      'COMPUTE_MISCONFIGURED',
      `the AgentCore runtime ${runtimeArn} does not answer as the runner's image does: check the setting agentcore_runtime_arn, and the image of the runtime`,
    );
  }

  async function start(id: string, spec: SessionSpec): Promise<StartResult> {
    const session: Session = { type: 'agentcore', id, ref: null };
    if (started.has(id)) return { kind: 'started', session };
    const { url } = await handover.put('agentcore', spec, place);
    try {
      await invoke(id, { action: 'start', bootstrap_url: url });
      started.add(id);
      return { kind: 'started', session };
    } catch (error) {
      const noRoom = NO_ROOM.has(awsErrorName(error));
      // Where the answer was lost, the runner may be running, and needs what it was given.
      if (noRoom || error instanceof BgAgentError || isRefusal(error)) await giveBack(id);
      if (noRoom) return { kind: 'no-capacity', reason: `${awsErrorName(error)}: ${messageOf(error)}` };
      const forUser = options.userId === null ? '' : ' and bedrock-agentcore:InvokeAgentRuntimeForUser';
      throw failure(error, `bedrock-agentcore:InvokeAgentRuntime${forUser}`);
    }
  }

  async function giveBack(id: string): Promise<void> {
    await handover.remove('agentcore', id).catch((error: unknown) => {
      log.warn(
        { event: 'compute.agentcore.rollback_failed', session_id: id, error: messageOf(error) },
        'the bootstrap of a session that did not start is left over',
      );
    });
  }

  /** The runner kills its agent at once and pushes; the answer comes when it has ended, or the grace has. */
  async function askToEnd(id: string, graceMs: number): Promise<void> {
    try {
      await invoke(id, { action: 'stop', grace_ms: graceMs });
    } catch (error) {
      log.warn(
        { event: 'compute.agentcore.stop_not_heard', session_id: id, error: messageOf(error) },
        'the runner could not be asked to push: its session is ended without',
      );
    }
  }

  async function endSession(id: string): Promise<void> {
    const { StopRuntimeSessionCommand } = await import('@aws-sdk/client-bedrock-agentcore');
    try {
      await (await options.client()).send(
        new StopRuntimeSessionCommand({
          agentRuntimeArn: runtimeArn,
          qualifier,
          runtimeSessionId: runtimeSessionId(id),
        }),
      );
    } catch (error) {
      // It has ended already.
      if (awsErrorName(error) !== 'ResourceNotFoundException')
        throw failure(error, 'bedrock-agentcore:StopRuntimeSession');
    }
  }

  return {
    type: 'agentcore',
    capabilities: {
      reportsExit: false,
      startAllowanceMs: START_ALLOWANCE_MS,
      maxSessions: null,
      maxDeadlineS: MAX_DEADLINE_S,
    },
    start(spec) {
      const id = executionName(spec.taskId, spec.attempt);
      const running = starting.get(id) ?? start(id, spec).finally(() => starting.delete(id));
      starting.set(id, running);
      return running;
    },

    async describe({ id }) {
      if (stopped.has(id)) return { kind: 'exited', exitCode: null, reason: 'the session was stopped' };
      return (await handover.has('agentcore', id)) ? { kind: 'running' } : { kind: 'missing' };
    },

    async stop({ id }, { graceMs }) {
      if (stopped.has(id) || !(await handover.has('agentcore', id))) return;
      await askToEnd(id, graceMs);
      await endSession(id);
      stopped.add(id);
      const { task_id, attempt } = taskOf(id);
      events.sessionEnded(task_id, attempt);
      events.capacityFreed();
    },

    async list() {
      return (await handover.list('agentcore')).map((id) => ({ type: 'agentcore', id, ref: null }));
    },

    async cleanUp({ id }) {
      await handover.remove('agentcore', id);
      started.delete(id);
      stopped.delete(id);
    },
  };
}

/** AgentCore wants 33 characters at least: a task's id has 26. */
const runtimeSessionId = (id: string): string => `bgagent-${id}`;

function taskOf(id: string): { task_id: string; attempt: number } {
  const at = id.lastIndexOf('-');
  return { task_id: id.slice(0, at), attempt: Number(id.slice(at + 1)) };
}
