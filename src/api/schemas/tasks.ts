import { z } from '@hono/zod-openapi';
import { taskEventSchema } from '../../task/events.ts';
import { channelOverridesSchema } from '../../task/notifications.ts';
import { TASK_STATUSES } from '../../task/status.ts';
import { LIMITS, taskSchema } from '../../task/task.ts';
import { line, pageQuery, strict, text, ulidSchema } from './envelope.ts';

/** What a task decides of a channel; where messages go is for its repository to say. */
const { enabled, events } = channelOverridesSchema.shape;

const positiveInt = z.number().int().min(1).max(2_147_483_647);

export const createTaskSchema = strict({
  repo: line(1_000).describe(
    '`owner/name`, or a git URL or an absolute path where the platform serves those.',
  ),
  task_description: text(LIMITS.taskDescription).nullish().describe('What to do.'),
  issue_number: positiveInt.nullish().describe('The issue that says what to do.'),
  pr_number: positiveInt.nullish().describe('The pull request to go on with, or to review.'),
  workflow_ref: line(200)
    .nullish()
    .describe('Such as `coding/new-task-v1`, with a version constraint if wanted, or an alias.'),
  max_turns: z.number().int().min(LIMITS.maxTurns.min).max(LIMITS.maxTurns.max).nullish(),
  max_budget_usd: z.number().min(LIMITS.maxBudgetUsd.min).max(LIMITS.maxBudgetUsd.max).nullish(),
  agent: line(100).nullish(),
  model_id: line(200).nullish(),
  trace: z.boolean().nullish(),
  /** Which channels tell about it, and of what: `{slack: {enabled, events}}`. */
  notifications: z.record(z.string().max(50), strict({ enabled, events })).nullish(),
  /** Clients may send these empty; what they are for is not part of this version, so nothing else is taken for it silently. */
  attachments: z.array(z.unknown()).max(0, 'attachments are not part of this version').nullish(),
  initial_approvals: z.array(z.unknown()).max(0, 'approvals are not part of this version').nullish(),
  /** How long a person has to decide; nothing asks one in this version. */
  approval_timeout_s: z.number().int().min(30).max(3_600).nullish(),
}).openapi('CreateTaskRequest');
/** What a caller sends to submit a task. */
export type CreateTaskRequest = z.input<typeof createTaskSchema>;
/** The same, checked. */
export type SubmitRequest = z.output<typeof createTaskSchema>;

const shape = taskSchema.shape;

export const taskSummarySchema = z
  .object({
    task_id: shape.task_id,
    status: shape.status,
    repo: shape.repo,
    issue_number: shape.issue_number,
    resolved_workflow: shape.resolved_workflow,
    resolved_assets: z.null(),
    pr_number: shape.pr_number,
    task_description: shape.task_description,
    branch_name: shape.branch_name,
    pr_url: shape.pr_url,
    created_at: shape.created_at,
    updated_at: shape.updated_at,
  })
  .openapi('TaskSummary');
export type TaskSummary = z.infer<typeof taskSummarySchema>;

const { session: _session, channel_metadata: _channel, branch_name: _branch, ...ownFields } = shape;

/** The task's record without what only the platform needs, and what can be computed from it. */
export const taskDetailSchema = z
  .object({
    ...ownFields,
    branch_name: shape.branch_name.describe(
      '`pending:pr_resolution` until the branch of a pull request is known',
    ),
    // Only records of earlier versions lack it.
    verification: shape.verification.unwrap(),
    session_id: z.string().nullable(),
    /** From the start of the session to the end of the task, in seconds; null before the end. */
    duration_s: z.number().nullable(),
    /** Tasks before this one in the queue (0 = next); null when it isn't queued. */
    queue_position: z.number().int().nullable(),
    /** A guess from how long tasks took lately, in seconds; null when it isn't queued or nothing is known. */
    estimated_wait_s: z.number().int().nullable(),
    resolved_assets: z.null(),
    otel_trace_id: z.string().nullable(),
    trace_s3_uri: z.string().nullable(),
    artifact_uri: z.string().nullable(),
    attachments: z.array(z.unknown()).nullable(),
    approval_gate_count: z.number().int().nullable(),
    approval_gate_cap: z.number().int().nullable(),
    awaiting_approval_request_id: z.string().nullable(),
  })
  .openapi('TaskDetail');
export type TaskDetail = z.infer<typeof taskDetailSchema>;

const STATUS_LIST = `must be a list of ${TASK_STATUSES.join(', ')}, separated by commas`;

export const listTasksQuery = pageQuery(20).extend({
  status: z
    .string()
    .max(500)
    .transform((list) => list.split(','))
    .pipe(z.array(z.enum(TASK_STATUSES, { error: STATUS_LIST })))
    .optional()
    .openapi({ type: 'string', example: 'RUNNING,FINALIZING' }),
  repo: line(1_000).optional(),
});

export const cancelledSchema = z
  .object({ task_id: z.string(), status: z.literal('CANCELLED'), cancelled_at: z.string() })
  .openapi('CancelledTask');

export const cancellingSchema = z
  .object({ task_id: z.string(), status: z.enum(TASK_STATUSES), cancel_requested_at: z.string() })
  .openapi('CancellingTask');

export const eventSchema = taskEventSchema.extend({ trace_id: z.string().nullable() }).openapi('TaskEvent');
export type TaskEventDetail = z.infer<typeof eventSchema>;

export const listEventsQuery = pageQuery(50).extend({
  /** Events after this one; beats `next_token`. */
  after: ulidSchema.optional(),
  /** `1`: newest first. */
  desc: z.enum(['0', '1', 'true', 'false'], { error: 'must be 0 or 1' }).optional(),
});
