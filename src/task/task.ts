import { z } from 'zod';
import { notificationsSchema } from './notifications.ts';
import { TASK_STATUSES } from './status.ts';
import { checkResultSchema } from './verification.ts';

/**
 * The record of a task. Names are those of the wire (snake_case), so that one shape serves the store, the API and the
 * runner; absent values are null. Times are ISO 8601 in UTC.
 */

export const LIMITS = {
  /** Characters of a task description. */
  taskDescription: 10_000,
  maxTurns: { min: 1, max: 500 },
  maxBudgetUsd: { min: 0.01, max: 100 },
  /** Characters of an error message kept on a task. */
  errorMessage: 2_000,
} as const;

const errorClassificationSchema = z.object({
  category: z.string(),
  title: z.string(),
  description: z.string(),
  remedy: z.string(),
  retryable: z.boolean(),
  errorClass: z.string(),
});
export type ErrorClassification = z.infer<typeof errorClassificationSchema>;

/** How long each part of a task took, in milliseconds; null while unknown. */
const timingsSchema = z.object({
  queued_ms: z.number().nullable(),
  hydrate_ms: z.number().nullable(),
  start_ms: z.number().nullable(),
  clone_ms: z.number().nullable(),
  agent_ms: z.number().nullable(),
  verify_ms: z.number().nullable(),
  push_ms: z.number().nullable(),
});
export type Timings = z.infer<typeof timingsSchema>;

/** Where a task runs. `ref` is opaque to everyone but the strategy that made it. */
const sessionSchema = z.object({ type: z.string(), id: z.string(), ref: z.unknown() });
export type Session = z.infer<typeof sessionSchema>;

/** What a finished task left behind, checked on the forge before the task is COMPLETED. */
export const OUTCOMES = ['changes', 'no_changes', 'review'] as const;

const CHANNEL_SOURCES = ['api', 'webhook', 'slack', 'github'] as const;

export const taskSchema = z.object({
  task_id: z.string(),
  user_id: z.string(),
  status: z.enum(TASK_STATUSES),
  repo: z.string(),
  issue_number: z.number().int().nullable(),
  pr_number: z.number().int().nullable(),
  task_description: z.string().nullable(),
  resolved_workflow: z.object({ id: z.string(), version: z.string() }),
  branch_name: z.string().nullable(),
  base_branch: z.string().nullable(),
  base_sha: z.string().nullable(),
  head_sha: z.string().nullable(),
  compare_url: z.string().nullable(),
  diff_stat: z
    .object({ files_changed: z.number(), insertions: z.number(), deletions: z.number() })
    .nullable(),
  pr_url: z.string().nullable(),
  outcome: z.enum(OUTCOMES).nullable(),
  /** What the agent said of its work: why there were no changes, or what it did. */
  outcome_summary: z.string().nullable(),
  /** True when the branch holds unfinished work, kept before a stop. */
  partial: z.boolean(),
  error_message: z.string().nullable(),
  error_classification: errorClassificationSchema.nullable(),
  channel_source: z.enum(CHANNEL_SOURCES),
  /** Where the task was asked for, in the words of that channel (a Slack team, channel and thread); null for others. */
  channel_metadata: z.record(z.string(), z.string()).nullable(),
  /** Which channels tell about it, and of what; null = as the repository says. */
  notifications: notificationsSchema.nullable(),
  agent: z.string(),
  agent_command: z.string().nullable(),
  model_id: z.string().nullable(),
  max_turns: z.number().int(),
  max_budget_usd: z.number().nullable(),
  deadline_s: z.number().int(),
  compute_type: z.string(),
  instance_type: z.string().nullable(),
  turns_attempted: z.number().int().nullable(),
  turns_completed: z.number().int().nullable(),
  cost_usd: z.number().nullable(),
  build_passed: z.boolean().nullable(),
  lint_passed: z.boolean().nullable(),
  /** Each command before and after the work, without its output; null when nothing was verified. */
  verification: z.array(checkResultSchema).nullable().default(null),
  prompt_version: z.string().nullable(),
  trace: z.boolean(),
  retry_of: z.string().nullable(),
  /** Which execution drives the task (1, 2, …): the epoch by which stale runners, reports and commands are refused. */
  attempt: z.number().int(),
  session: sessionSchema.nullable(),
  /** Why the task waits, in words for people; null when it doesn't. */
  waiting_for: z.string().nullable(),
  last_heartbeat_at: z.string().nullable(),
  cancel_requested_at: z.string().nullable(),
  created_at: z.string(),
  updated_at: z.string(),
  queued_at: z.string().nullable(),
  /** When a slot was given. */
  admitted_at: z.string().nullable(),
  /** When the session started. */
  started_at: z.string().nullable(),
  completed_at: z.string().nullable(),
  timings: timingsSchema,
});
export type Task = z.infer<typeof taskSchema>;

export const emptyTimings = (): Timings => ({
  queued_ms: null,
  hydrate_ms: null,
  start_ms: null,
  clone_ms: null,
  agent_ms: null,
  verify_ms: null,
  push_ms: null,
});

/** The name of the execution that drives an attempt of a task; used once. */
export const executionName = (taskId: string, attempt: number): string => `${taskId}-${attempt}`;
