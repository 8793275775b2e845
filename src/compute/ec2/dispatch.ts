import type { FleetSession } from '../../stores/instance-store.ts';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import type { Bootstrap } from '../../task/protocol.ts';
import { isRefusal } from '../aws-failure.ts';
import { IMAGE_PLACE } from '../handover.ts';
import type { SessionSpec } from '../strategy.ts';
import type { FleetParts } from './parts.ts';
import { hasGpu, imageFor, type Pool } from './pools.ts';
import { executionTimeoutS, startComment } from './ssm.ts';

/** How long past the deadline the command, and so the machine, may be the session's. */
export const MARGIN_MS = 15 * 60_000;
/** How long an instance may take to have the command: undelivered ones are refused by then. */
const DELIVERY_S = 60;
const MAX_PAYLOAD_BYTES = 5 * 1024 * 1024;

/** The start did certainly not reach the machine; `machineGone` when it's the machine's fault. */
export class NotDispatched extends Error {
  override readonly name = 'NotDispatched';
  readonly failure: BgAgentError;
  readonly machineGone: boolean;
  constructor(failure: BgAgentError, machineGone: boolean) {
    super(failure.message, { cause: failure });
    this.failure = failure;
    this.machineGone = machineGone;
  }
}

/**
 * Puts a claimed session's payload in place and sends its machine the start command. Sending twice to the same machine is harmless:
 * the machine begins a session once. Resolves to the command's id. Throws NotDispatched when nothing was sent, COMPUTE_UNAVAILABLE
 * when it can't be told: then the claim must stay.
 */
export async function dispatch(
  parts: FleetParts,
  session: FleetSession,
  spec: SessionSpec,
  pool: Pool,
): Promise<string> {
  try {
    await parts.cloud.putPayload(session.payloadKey, payloadOf(parts, session, spec, pool));
  } catch (error) {
    throw new NotDispatched(asFailure(error), false);
  }
  const sentAtMs = parts.now();
  try {
    return await parts.cloud.sendCommand({
      document: 'start',
      instanceId: session.instanceId,
      parameters: {
        Payload: parts.cloud.payloadLocation(session.payloadKey),
        Task: spec.taskId,
        Epoch: String(spec.attempt),
        executionTimeout: executionTimeoutS(spec.deadlineAtMs + MARGIN_MS - parts.now()),
      },
      comment: startComment(spec),
      deliveryTimeoutS: DELIVERY_S,
    });
  } catch (error) {
    if (isRefusal(error)) throw new NotDispatched(asFailure(error), isMachineGone(error));
    return await findSent(parts, session, spec, { sentAtMs, error });
  }
}

/** The answer was lost. The comment tells whether the command was not. */
async function findSent(
  { cloud, limits, now, delay, log }: FleetParts,
  { instanceId }: FleetSession,
  spec: SessionSpec,
  { sentAtMs, error }: { sentAtMs: number; error: unknown },
): Promise<string> {
  // Clocks differ, and what was sent just now may not be listed yet.
  const query = { instanceId, comment: startComment(spec), sinceMs: sentAtMs - 60_000 };
  for (const until = now() + limits.lostAnswerMs; ; await delay(limits.pollMs)) {
    const found = await cloud.findCommand(query).catch((lookUp: unknown) => {
      log.warn(
        { event: 'compute.ec2.find_command_failed', task_id: spec.taskId, error: messageOf(lookUp) },
        'could not look for a command whose sending had no answer',
      );
      return undefined;
    });
    if (found !== undefined) return found;
    if (now() >= until)
      throw new BgAgentError(
        'COMPUTE_UNAVAILABLE',
        `sending the start command had no answer, and it is not listed: ${messageOf(error)}`,
        { cause: error },
      );
  }
}

/** What the program on the instance reads line by line; after the empty line comes what the runner reads. */
function payloadOf(
  { apiUrl, image }: FleetParts,
  session: FleetSession,
  spec: SessionSpec,
  pool: Pool,
): string {
  const runner = `ec2/${session.instanceId}`;
  const bootstrap: Bootstrap = {
    task_id: spec.taskId,
    attempt: spec.attempt,
    token: spec.token,
    api_url: apiUrl(),
    api_url_file: null,
    log_file: null,
    not_after: new Date(spec.deadlineAtMs + MARGIN_MS).toISOString(),
    runner_id: runner,
    ...IMAGE_PLACE,
  };
  const lines = [
    'bgagent-session/1',
    `task ${spec.taskId}`,
    `epoch ${spec.attempt}`,
    `not-after ${Math.ceil(spec.deadlineAtMs / 1_000)}`,
    `api ${apiUrl()}`,
    `runner ${runner}`,
    `image ${imageFor(image, pool.type)}`,
    `gpus ${hasGpu(pool.type) ? 'all' : 'none'}`,
    `token ${spec.token}`,
  ];
  const payload = `${lines.join('\n')}\n\n${JSON.stringify(bootstrap)}\n`;
  if (Buffer.byteLength(payload) > MAX_PAYLOAD_BYTES)
    throw new BgAgentError(
      'PAYLOAD_TOO_LARGE',
      `the payload of the session has ${Buffer.byteLength(payload)} bytes, more than ${MAX_PAYLOAD_BYTES}`,
    );
  return payload;
}

const asFailure = (error: unknown): BgAgentError =>
  error instanceof BgAgentError
    ? error
    : new BgAgentError('COMPUTE_UNAVAILABLE', messageOf(error), { cause: error });

const isMachineGone = (error: unknown): boolean =>
  error instanceof Error && error.cause instanceof Error && error.cause.name === 'InvalidInstanceId';
