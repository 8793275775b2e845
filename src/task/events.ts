import { z } from 'zod';
import { TASK_STATUSES } from './status.ts';
import { OUTCOMES } from './task.ts';
import { CHECKS, checkResultSchema } from './verification.ts';

/**
 * Every event a task can have: who emits it, what it says, its metadata. docs/event-types.md is generated from this table.
 * Events are append-only; their ids grow within the store, so a reader with a cursor misses nothing.
 */

type Emitter = 'api' | 'orchestrator' | 'runner' | 'agent' | 'reconciler';

interface CatalogueEntry {
  emitter: Emitter;
  summary: string;
  metadata: z.ZodType<Record<string, unknown>>;
}

const none = z.object({});
const preview = z.string().describe('at most 200 characters, secrets redacted');
const failure = z.object({
  error_code: z.string(),
  error_message: z.string(),
  remedy: z.string(),
  retryable: z.boolean(),
  partial: z.boolean(),
  branch_name: z.string().nullable(),
});

const RUNNER_PHASES = ['clone', 'setup', 'baseline', 'agent', 'verify', 'repair', 'commit', 'push'] as const;
export type RunnerPhase = (typeof RUNNER_PHASES)[number];

export const EVENTS = {
  task_created: {
    emitter: 'api',
    summary: 'The task was accepted.',
    metadata: z.object({ workflow: z.string(), agent: z.string(), retry_of: z.string().nullable() }),
  },
  cancel_requested: {
    emitter: 'api',
    summary: 'Someone asked for the end of the task.',
    metadata: z.object({ by: z.string() }),
  },
  nudge_received: {
    emitter: 'api',
    summary: 'Someone has something to say to the agent.',
    metadata: z.object({ nudge_id: z.string(), by: z.string(), preview }),
  },
  nudge_delivered: {
    emitter: 'runner',
    summary: 'The agent was given what someone had to say.',
    metadata: z.object({
      nudge_id: z.string(),
      how: z.enum(['file', 'turn']).describe('a line in its file, or a turn of its conversation'),
    }),
  },
  nudge_refused: {
    emitter: 'runner',
    summary: 'The agent could not be given what someone had to say.',
    metadata: z.object({ nudge_id: z.string(), reason: z.string() }),
  },
  admission_queued: {
    emitter: 'orchestrator',
    summary: 'No slot is free; the task waits its turn.',
    metadata: z.object({ reason: z.string() }),
  },
  admission_granted: {
    emitter: 'orchestrator',
    summary: 'The task has a slot.',
    metadata: z.object({ queued_ms: z.number() }),
  },
  hydration_started: {
    emitter: 'orchestrator',
    summary: 'The platform checks the repository and collects the input.',
    metadata: none,
  },
  preflight_passed: {
    emitter: 'orchestrator',
    summary: 'The repository is reachable and can be pushed to.',
    metadata: z.object({
      base_branch: z.string(),
      base_sha: z.string(),
      warnings: z.array(z.string()).optional().describe('what people should know although it can begin'),
    }),
  },
  hydration_complete: {
    emitter: 'orchestrator',
    summary: 'The input of the agent is ready.',
    metadata: z.object({
      branch_name: z.string(),
      prompt_chars: z.number(),
      context_tokens: z
        .number()
        .optional()
        .describe('of issue, pull request and comments, as counted against hydration_max_tokens'),
      comments_dropped: z.number().optional().describe('oldest comments that were too much'),
      texts_cut: z.array(z.string()).optional().describe('texts of which the agent gets the beginning only'),
      comments_withheld: z.array(z.string()).optional().describe('comments that the content policy blocked'),
    }),
  },
  capacity_waiting: {
    emitter: 'orchestrator',
    summary: 'The backend has no room; the task waits for it.',
    metadata: z.object({ compute_type: z.string(), reason: z.string() }),
  },
  session_started: {
    emitter: 'orchestrator',
    summary: 'The task has a place to run.',
    metadata: z.object({ session_id: z.string(), compute_type: z.string(), attempt: z.number() }),
  },
  session_ended: {
    emitter: 'orchestrator',
    summary: 'The place where the task ran is gone.',
    metadata: z.object({ session_id: z.string(), reason: z.string() }),
  },
  task_restarted: {
    emitter: 'reconciler',
    summary: 'A new execution drives the task; its state stays as it is.',
    metadata: z.object({ attempt: z.number(), reason: z.string() }),
  },
  runner_started: {
    emitter: 'runner',
    summary: 'The runner is up and has the payload.',
    metadata: z.object({ attempt: z.number(), sandbox: z.string() }),
  },
  phase_started: {
    emitter: 'runner',
    summary: 'A phase of the work began.',
    metadata: z.object({ phase: z.enum(RUNNER_PHASES) }),
  },
  phase_completed: {
    emitter: 'runner',
    summary: 'A phase of the work ended.',
    metadata: z.object({ phase: z.enum(RUNNER_PHASES), duration_ms: z.number(), ok: z.boolean() }),
  },
  agent_turn: {
    emitter: 'agent',
    summary: 'One call of the main model.',
    metadata: z.object({ turn: z.number(), preview }),
  },
  agent_tool_call: {
    emitter: 'agent',
    summary: 'The agent uses a tool.',
    metadata: z.object({ tool: z.string(), preview }),
  },
  agent_tool_result: {
    emitter: 'agent',
    summary: 'A tool answered.',
    metadata: z.object({ tool: z.string(), ok: z.boolean(), preview }),
  },
  agent_cost_update: {
    emitter: 'agent',
    summary: 'What the agent has cost so far.',
    metadata: z.object({ cost_usd: z.number(), input_tokens: z.number(), output_tokens: z.number() }),
  },
  agent_error: {
    emitter: 'agent',
    summary: 'Something went wrong while the agent worked.',
    metadata: z.object({ error_type: z.string(), preview }),
  },
  agent_milestone: {
    emitter: 'agent',
    summary: 'The agent reached something worth telling.',
    metadata: z.object({ milestone: z.string(), preview }),
  },
  agent_output: {
    emitter: 'agent',
    summary: 'Lines that the agent printed (sampled; the whole is in the log).',
    metadata: z.object({ preview, lines: z.number() }),
  },
  egress_blocked: {
    emitter: 'runner',
    summary: 'The agent tried to reach a host that it may not reach; told once a host.',
    metadata: z.object({ host: z.string(), setting: z.string().describe('where the host could be allowed') }),
  },
  verification_completed: {
    emitter: 'runner',
    summary:
      'Build, lint and test were run after the work, and once more when the agent had a regression to repair.',
    metadata: z.object({
      build_passed: z.boolean().nullable(),
      lint_passed: z.boolean().nullable(),
      regressed: z.array(z.enum(CHECKS)).describe('what passed before the work and does not any more'),
      after_repair: z.boolean(),
      checks: z
        .array(checkResultSchema.omit({ output_tail: true }))
        .describe('of each command: `check`, `before`, `after`, `regressed`, `reason`'),
    }),
  },
  branch_pushed: {
    emitter: 'runner',
    summary: 'The branch is on the remote.',
    metadata: z.object({
      branch_name: z.string(),
      head_sha: z.string(),
      files_changed: z.number(),
      partial: z.boolean(),
    }),
  },
  outcome_reported: {
    emitter: 'runner',
    summary: 'The runner reported how the work ended.',
    metadata: z.object({ result: z.string(), head_sha: z.string().nullable() }),
  },
  pr_created: {
    emitter: 'orchestrator',
    summary: 'The pull request is open.',
    metadata: z.object({
      pr_url: z.string(),
      pr_number: z.number(),
      draft: z.boolean().optional().describe('the work made a check worse'),
      warnings: z.array(z.string()).optional().describe('what could not be done of it, such as a label'),
    }),
  },
  pr_updated: {
    emitter: 'orchestrator',
    summary: 'The pull request that the task works on has its commits, or its answer.',
    metadata: z.object({
      pr_url: z.string(),
      pr_number: z.number(),
      head_sha: z.string().nullable().describe('null when nothing was changed'),
    }),
  },
  review_posted: {
    emitter: 'orchestrator',
    summary: 'The review is on the pull request.',
    metadata: z.object({
      pr_url: z.string(),
      pr_number: z.number(),
      review_url: z.string(),
      comments: z.number(),
    }),
  },
  approval_requested: {
    emitter: 'orchestrator',
    summary: 'The agent needs a person to decide.',
    metadata: z.object({ request_id: z.string(), action: z.string(), reason: z.string() }),
  },
  approval_stranded: {
    emitter: 'reconciler',
    summary: 'Nobody decided in time.',
    metadata: z.object({ request_id: z.string() }),
  },
  task_completed: {
    emitter: 'orchestrator',
    summary: 'The task ended well.',
    metadata: z.object({
      outcome: z.enum(OUTCOMES),
      branch_name: z.string().nullable(),
      head_sha: z.string().nullable(),
      build_passed: z.boolean().nullable(),
    }),
  },
  task_failed: { emitter: 'orchestrator', summary: 'The task failed.', metadata: failure },
  task_cancelled: {
    emitter: 'orchestrator',
    summary: 'The task was cancelled and its session is gone.',
    metadata: failure,
  },
  task_timed_out: { emitter: 'orchestrator', summary: 'The task reached its deadline.', metadata: failure },
  task_stranded: {
    emitter: 'reconciler',
    summary: 'Nothing was driving the task any more (a notice; task_failed follows).',
    metadata: z.object({ prior_status: z.enum(TASK_STATUSES), age_seconds: z.number() }),
  },
  'reconciler.orphan_stopped': {
    emitter: 'reconciler',
    summary: 'A session without a live task was stopped and removed.',
    metadata: z.object({ session_id: z.string(), compute_type: z.string() }),
  },
} as const satisfies Record<string, CatalogueEntry>;

export type EventType = keyof typeof EVENTS;
export const isEventType = (type: string): type is EventType => Object.hasOwn(EVENTS, type);

export type EventMetadata<T extends EventType> = z.infer<(typeof EVENTS)[T]['metadata']>;

/** An event before the store has given it its id: a union over the catalogue, so wrong metadata doesn't compile. */
export type NewEvent = { [T in EventType]: { type: T; metadata: EventMetadata<T> } }[EventType];

export const taskEventSchema = z.object({
  event_id: z.string(),
  task_id: z.string(),
  event_type: z.string(),
  timestamp: z.string(),
  metadata: z.record(z.string(), z.unknown()),
  user_id: z.string().nullable(),
  repo: z.string().nullable(),
});
export type TaskEvent = z.infer<typeof taskEventSchema>;

/** The event types a runner may report; everything else is the platform's to say. */
export const RUNNER_EVENT_TYPES = (Object.keys(EVENTS) as EventType[]).filter(
  (type) =>
    (EVENTS[type].emitter === 'runner' || EVENTS[type].emitter === 'agent') && type !== 'outcome_reported',
);
