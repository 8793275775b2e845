import type { Failure, RunTaskCommandInput } from '@aws-sdk/client-ecs';
import { awsErrorName } from '../../aws/failure.ts';
import { BgAgentError, messageOf } from '../../task/errors.ts';
import { executionName } from '../../task/task.ts';
import { BOOTSTRAP_VARIABLE } from '../handover.ts';
import type { SessionSpec } from '../strategy.ts';

/** How tasks are run; what they are made of is in the task definition. */
export interface EcsTaskShape {
  cluster: string;
  /** A family: its newest active revision is run. */
  taskDefinition: string;
  /** Name of the runner's container in it. */
  container: string;
  capacityProvider: 'FARGATE' | 'FARGATE_SPOT';
  subnets: readonly string[];
  securityGroups: readonly string[];
  /** Needed in subnets without a NAT gateway. */
  assignPublicIp: boolean;
  /** For workflows that change nothing; null = as in the task definition. */
  readOnlySize: { cpu: string; memory: string } | null;
}

/** Characters that ECS takes for the overrides of a task. */
const OVERRIDES_MAX = 8_192;

/** The call that starts a session. It's idempotent by its client token, which names task and attempt. */
export function runTaskInput(shape: EcsTaskShape, spec: SessionSpec, address: string): RunTaskCommandInput {
  const id = executionName(spec.taskId, spec.attempt);
  const size = spec.readOnly && shape.readOnlySize ? shape.readOnlySize : {};
  const overrides = {
    ...size,
    containerOverrides: [
      { name: shape.container, environment: [{ name: BOOTSTRAP_VARIABLE, value: address }] },
    ],
  };
  if (JSON.stringify(overrides).length > OVERRIDES_MAX)
    throw new BgAgentError(
      'COMPUTE_MISCONFIGURED',
      `the signed address of the bootstrap is too long for the overrides of an ECS task (${OVERRIDES_MAX} characters): use credentials with a shorter session token`,
    );
  return {
    cluster: shape.cluster,
    taskDefinition: shape.taskDefinition,
    clientToken: id,
    // By which a task is found when its ARN is not known, and which its events tell.
    startedBy: id,
    count: 1,
    // Every cluster runs on Fargate; its Spot has to be among the cluster's capacity providers.
    ...(shape.capacityProvider === 'FARGATE'
      ? { launchType: 'FARGATE' as const }
      : { capacityProviderStrategy: [{ capacityProvider: shape.capacityProvider, weight: 1 }] }),
    networkConfiguration: {
      awsvpcConfiguration: {
        subnets: [...shape.subnets],
        securityGroups: [...shape.securityGroups],
        assignPublicIp: shape.assignPublicIp ? 'ENABLED' : 'DISABLED',
      },
    },
    overrides,
    tags: [{ key: 'bgagent:task-id', value: spec.taskId }],
  };
}

/** Failures of the answer that no waiting mends. */
const MISCONFIGURED = new Set(['MISSING', 'INACTIVE', 'ATTRIBUTE', 'LOCATION', 'EMPTY CAPACITY PROVIDER']);

/** Why there is no room, from the failures of an answer without tasks. Throws COMPUTE_MISCONFIGURED. */
export function noRoom(failures: readonly Failure[], shape: EcsTaskShape): string {
  const [failure] = failures;
  const reason = failure?.reason ?? 'no reason given';
  if (MISCONFIGURED.has(reason))
    throw new BgAgentError(
      'COMPUTE_MISCONFIGURED',
      `cluster ${shape.cluster}: ECS answers ${reason}: check the settings ecs_cluster, ecs_task_definition and ecs_capacity`,
    );
  return `${shape.capacityProvider}: ${[reason, failure?.detail].filter(Boolean).join(': ')}`;
}

/** Refusals that end by themselves. */
const PASSING = new Set(['ThrottlingException', 'LimitExceededException', 'ServiceQuotaExceededException']);

/**
 * Why there is no room, when that is what a thrown error means. Fargate tells of missing capacity and of its quotas by the
 * general ClientException: only its text says which.
 */
export function noRoomError(error: unknown, shape: EcsTaskShape): string | undefined {
  const name = awsErrorName(error);
  const isRoom =
    PASSING.has(name) ||
    (name === 'ClientException' && /capacity is unavailable|reached the limit/i.test(messageOf(error)));
  return isRoom ? `${shape.capacityProvider}: ${name}: ${messageOf(error)}` : undefined;
}
