import { z } from 'zod';
import { OUTCOMES, type Timings } from './task.ts';
import { checkResultSchema } from './verification.ts';
import { WORKFLOW_OUTCOMES, WORKFLOW_STEPS } from './workflows.ts';

/**
 * What runner and platform say to each other under /v1/runner/{task_id}: start, payload, report, credentials.
 * Every message carries the attempt (epoch); an attempt that is no longer current is answered 409 EPOCH_STALE.
 */

/** How the runner finds the platform: a file with mode 0600, or a document at a signed address, that only the runner reads. */
export const bootstrapSchema = z.object({
  task_id: z.string(),
  attempt: z.number().int(),
  /** Bearer token, good for this task and attempt only. */
  token: z.string(),
  api_url: z.url(),
  /** A file whose JSON `{api_url}` is read anew when the platform doesn't answer (it may have come back on another port). */
  api_url_file: z.string().nullable(),
  /** Where the runner keeps workspaces and mirrors. */
  work_dir: z.string(),
  log_file: z.string().nullable(),
  /** The name under which the place has asked for the start already; left out = the runner makes one up. */
  runner_id: z.string().min(1).max(200).optional(),
  /** A runner that gets no answer of the platform gives up then (ISO 8601); null = it asks as long as it's wanted. */
  not_after: z.iso.datetime().nullable().default(null),
  /**
   * Where the place is the wall (a container of its own): agents run as this user in place of a sandbox, which such places don't
   * allow. The runner must be root. Null = the sandbox that the payload asks for.
   */
  agent_user: z
    .object({ uid: z.number().int().min(1), gid: z.number().int().min(1) })
    .nullable()
    .default(null),
});
export type Bootstrap = z.infer<typeof bootstrapSchema>;

/** POST start: may this attempt begin? 200 yes, 409 no (stale epoch, past not-after, or another process began it). */
export const startRequestSchema = z.object({
  attempt: z.number().int(),
  runner_id: z.string().min(1).max(200),
});
export type StartRequest = z.infer<typeof startRequestSchema>;

/** GET payload: everything the runner needs, no secret in it. */
export const payloadSchema = z.object({
  task_id: z.string(),
  attempt: z.number().int(),
  workflow: z.string(),
  read_only: z.boolean(),
  /** What the work is to leave behind. */
  outcome: z.enum(WORKFLOW_OUTCOMES).default('pull_request'),
  /** Which of the repository's commands are run around the agent. */
  steps: z.array(z.enum(WORKFLOW_STEPS)).default([...WORKFLOW_STEPS]),
  repo: z.object({
    /** The URL or path to clone from and push to, without credentials. */
    url: z.string(),
    /** A stable name for the mirror cache. */
    cache_key: z.string(),
    base_branch: z.string(),
    base_sha: z.string(),
    branch_name: z.string(),
    /** What this task pushed in an earlier attempt: go on from there. */
    resume_sha: z.string().nullable(),
    /**
     * Set when the branch is not the task's own but a pull request's: it's only ever moved forward, and what it can't take
     * (unfinished work, or work that doesn't go together with what others pushed meanwhile) is kept on this one.
     */
    rescue_branch: z.string().nullable().default(null),
    /** What the remote gives the branch's head out under besides its name, such as `refs/pull/34/head`; null = nothing. */
    head_ref: z.string().nullable().default(null),
    /** What a pull request is compared with: its base, for the agent to look at. */
    compare: z.object({ branch: z.string(), sha: z.string() }).nullable().default(null),
  }),
  prompt: z.string(),
  commit: z.object({ title: z.string(), author_name: z.string(), author_email: z.string() }),
  agent: z.object({
    type: z.string(),
    /** The command line of the `command` agent, run by `sh -c` in the workspace. */
    command: z.string().nullable(),
    model_id: z.string().nullable(),
  }),
  limits: z.object({
    max_turns: z.number().int(),
    max_budget_usd: z.number().nullable(),
    /** When the work must end, ISO 8601. */
    deadline_at: z.string(),
    workspace_max_mb: z.number(),
    max_files: z.number().int(),
    /** Processes of the agent at one time, and the memory of all of them together. */
    agent_max_processes: z.number().int().default(1_000),
    agent_max_memory_mb: z.number().default(16_384),
    /** Bytes of agent output kept in the log; the rest is counted, not kept. */
    output_max_bytes: z.number().int(),
    /** All mirrors of the machine together; the least recently used go first. */
    cache_max_mb: z.number(),
    /** For git, and for the setup command. */
    clone_timeout_s: z.number().int(),
  }),
  commands: z.object({
    setup: z.string().nullable(),
    build: z.string().nullable(),
    lint: z.string().nullable(),
    test: z.string().nullable().default(null),
  }),
  verification: z
    .object({
      /** Longest run of one build, lint or test command. */
      timeout_s: z.number().int(),
      /** The agent gets one chance to repair what its work broke. */
      repair: z.boolean(),
    })
    .default({ timeout_s: 1_800, repair: true }),
  sandbox: z.object({
    /** `required`: no sandbox, no run. `preferred`: without one where none can be had. `off`: without one. */
    mode: z.enum(['required', 'preferred', 'off']),
    /** Hosts the agent may reach, as `host` or `*.host`. */
    egress: z.array(z.string()),
    /** Paths besides home and the runner's own folders that must not be readable. */
    deny_read: z.array(z.string()),
  }),
  /** Strings to hide wherever they show up, besides the well-known key formats. */
  redact: z.array(z.string()),
  heartbeat_interval_s: z.number(),
});
export type Payload = z.infer<typeof payloadSchema>;

const ratesSchema = z.strictObject({
  input: z.number().min(0),
  output: z.number().min(0),
  cache_read: z.number().min(0).optional(),
  /** For five minutes. */
  cache_write: z.number().min(0).optional(),
  /** For an hour; default: as `cache_write`. */
  cache_write_1h: z.number().min(0).optional(),
});

/** US dollars for a million tokens. Without rates for the cache, its tokens cost what input costs. */
export const modelPriceSchema = ratesSchema.extend({
  /** Of the whole call, when its input is over so many tokens. */
  long: ratesSchema.extend({ above_input_tokens: z.number().int().min(1) }).optional(),
});

const modelNames = {
  /** Model of a task that names none. */
  main_model: z.string(),
  /** For side jobs of the agent. */
  small_model: z.string(),
  /** By model; these come before the runner's own table. */
  prices: z.record(z.string(), modelPriceSchema),
};

/** How the runner reaches the model that the agent works with. */
export const modelAccessSchema = z.discriminatedUnion('provider', [
  z.object({
    provider: z.enum(['anthropic', 'openai']),
    /** Null = the provider's own. */
    base_url: z.string().nullable(),
    auth: z.enum(['api_key', 'bearer']),
    secret: z.string(),
    ...modelNames,
  }),
  z.object({
    provider: z.literal('bedrock'),
    region: z.string(),
    access_key_id: z.string(),
    secret_access_key: z.string(),
    session_token: z.string().nullable(),
    /** When the keys end, ISO 8601; null for lasting ones. */
    expires_at: z.string().nullable().default(null),
    ...modelNames,
  }),
]);
export type ModelAccess = z.infer<typeof modelAccessSchema>;

/** POST credentials: short-lived secrets for the runner's own use; never given to the agent. */
export const credentialsSchema = z.object({
  /** For HTTPS remotes; null where none is needed. */
  git: z.object({ username: z.string(), password: z.string() }).nullable(),
  /** Null where the agent needs no model, or the deployment has no credentials for one. */
  model: modelAccessSchema.nullable().default(null),
  /** When the first of them ends, ISO 8601: ask again before. Null: they last. */
  expires_at: z.string().nullable(),
});
export type Credentials = z.infer<typeof credentialsSchema>;

/**
 * How the work ended, as the runner saw it.
 * `changes` and `no_changes` are success; the rest keep what there is on the branch (partial).
 */
const RUN_RESULTS = [
  'changes',
  'no_changes',
  'failed',
  'cancelled',
  'timed_out',
  'turn_limit',
  'budget',
] as const;

/** What a review may have, in characters and comments; more is left out, and said. */
export const REVIEW_LIMITS = { summary: 10_000, comments: 50, path: 1_000, body: 5_000 } as const;

const reviewSchema = z.object({
  summary: z.string().max(REVIEW_LIMITS.summary),
  comments: z
    .array(
      z.object({
        path: z.string().max(REVIEW_LIMITS.path),
        line: z.number().int().min(1),
        body: z.string().max(REVIEW_LIMITS.body),
      }),
    )
    .max(REVIEW_LIMITS.comments),
});
export type Review = z.infer<typeof reviewSchema>;

export const outcomeReportSchema = z.object({
  result: z.enum(RUN_RESULTS),
  outcome: z.enum(OUTCOMES).nullable(),
  summary: z.string().max(10_000).nullable(),
  branch_name: z.string().nullable(),
  /** The commit on the remote branch, when something was pushed. */
  head_sha: z.string().nullable(),
  partial: z.boolean(),
  diff_stat: z
    .object({ files_changed: z.number().int(), insertions: z.number().int(), deletions: z.number().int() })
    .nullable(),
  /** Unified diff of the branch against its base, at most 1 MiB. */
  diff: z.string().nullable(),
  diff_truncated: z.boolean(),
  build_passed: z.boolean().nullable(),
  lint_passed: z.boolean().nullable(),
  /** Each command before and after the work; null when nothing was verified. */
  verification: z.array(checkResultSchema).nullable().default(null),
  /** Of a workflow that reviews. */
  review: reviewSchema.nullable().default(null),
  /** The commit of others that the work was put on top of, after the checks had run. */
  rebased_onto: z.string().nullable().default(null),
  turns_attempted: z.number().int().nullable(),
  turns_completed: z.number().int().nullable(),
  cost_usd: z.number().nullable(),
  /** Present when result is none of the successes: a code of the error catalogue and what happened. */
  error: z.object({ code: z.string(), message: z.string().max(2_000) }).nullable(),
  timings: z.object({
    clone_ms: z.number().nullable(),
    agent_ms: z.number().nullable(),
    verify_ms: z.number().nullable(),
    push_ms: z.number().nullable(),
  }) satisfies z.ZodType<Partial<Timings>>,
});
export type OutcomeReport = z.infer<typeof outcomeReportSchema>;

/** POST report: events in batches, heartbeat, log text, the outcome once. Safe to send twice. */
export const reportRequestSchema = z.object({
  attempt: z.number().int(),
  runner_id: z.string().min(1).max(200),
  /** `seq` grows by one within an attempt; one seen before is skipped. */
  events: z
    .array(
      z.object({
        seq: z.number().int().min(0),
        event_type: z.string(),
        timestamp: z.string(),
        metadata: z.record(z.string(), z.unknown()),
      }),
    )
    .max(500),
  /** Text to append to the log at this offset (bytes); what is there already is skipped. */
  log: z.object({ offset: z.number().int().min(0), text: z.string().max(262_144) }).nullable(),
  outcome: outcomeReportSchema.nullable(),
});
export type ReportRequest = z.infer<typeof reportRequestSchema>;

/** The reply: what the platform wants. */
export const reportReplySchema = z.object({
  cancel_requested: z.boolean(),
  nudges: z.array(z.object({ nudge_id: z.string(), message: z.string() })),
});
export type ReportReply = z.infer<typeof reportReplySchema>;
