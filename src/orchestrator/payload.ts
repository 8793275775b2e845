import { createHash } from 'node:crypto';
import type { Settings } from '../config/settings.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import { payloadKey } from '../task/blob-keys.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Payload } from '../task/protocol.ts';
import type { RepoConfig } from '../task/repo.ts';
import type { Task } from '../task/task.ts';
import type { Workflow } from '../task/workflows.ts';
import type { Context } from './hydration/context.ts';
import { buildPrompt, commitTitle } from './prompt.ts';

/** A payload whose deadline is not known yet. */
type StoredPayload = Omit<Payload, 'limits'> & { limits: Omit<Payload['limits'], 'deadline_at'> };

/** Where the work starts, and where it goes. */
export interface WorkSource {
  url: string;
  /** The default branch, or the branch that the pull request wants to go into. */
  baseBranch: string;
  /** The commit that the work starts from: of that branch, or the head of the pull request. */
  startSha: string;
  branch: string;
  resumeSha: string | null;
  /** Of a task that works on a pull request. */
  pullRequest: Pick<Payload['repo'], 'rescue_branch' | 'head_ref' | 'compare'> | null;
}

interface PayloadInput {
  task: Task;
  workflow: Workflow;
  repoConfig: RepoConfig | undefined;
  settings: Settings;
  source: WorkSource;
  /** What others wrote on the forge. */
  context: Pick<Context, 'text' | 'title'>;
  /** Folders that no agent may read: the platform's data. */
  denyRead: readonly string[];
}

/** Everything the runner needs for one attempt. No secret goes in: those are fetched by `credentials`, when needed. */
export function buildPayload(input: PayloadInput): StoredPayload {
  const { task, workflow, repoConfig, settings, source, context, denyRead } = input;
  return {
    task_id: task.task_id,
    attempt: task.attempt,
    workflow: workflow.id,
    read_only: workflow.read_only,
    outcome: workflow.outcome,
    steps: workflow.steps,
    repo: {
      url: source.url,
      cache_key: createHash('sha256').update(source.url).digest('hex').slice(0, 32),
      // By its name old servers give out the commit that the work starts from.
      base_branch: source.pullRequest ? source.branch : source.baseBranch,
      base_sha: source.startSha,
      branch_name: source.branch,
      resume_sha: source.resumeSha,
      rescue_branch: null,
      head_ref: null,
      compare: null,
      ...source.pullRequest,
    },
    prompt: buildPrompt({
      task,
      workflow,
      branch: { name: source.branch, base: source.baseBranch },
      overrides: repoConfig?.system_prompt_overrides ?? null,
      context: context.text,
    }),
    commit: {
      title: commitTitle(
        task,
        source.pullRequest ? 'Address review comments' : (context.title ?? workflow.summary),
      ),
      author_name: 'bgagent',
      author_email: 'bgagent@users.noreply.github.com',
    },
    agent: { type: task.agent, command: task.agent_command, model_id: task.model_id },
    limits: {
      max_turns: task.max_turns,
      max_budget_usd: task.max_budget_usd,
      workspace_max_mb: settings.workspace_max_mb,
      max_files: settings.workspace_max_files,
      agent_max_processes: settings.agent_max_processes,
      agent_max_memory_mb: settings.agent_max_memory_mb,
      output_max_bytes: Math.round(settings.agent_output_max_mb * 1024 * 1024),
      cache_max_mb: settings.cache_max_mb,
      clone_timeout_s: settings.clone_timeout_s,
    },
    commands: {
      setup: repoConfig?.setup_command ?? null,
      build: repoConfig?.build_command ?? null,
      lint: repoConfig?.lint_command ?? null,
      test: repoConfig?.test_command ?? null,
    },
    verification: { timeout_s: settings.verify_timeout_s, repair: settings.repair_regressions },
    sandbox: {
      mode: settings.sandbox,
      egress: [...settings.sandbox_egress, ...(repoConfig?.egress_allowlist ?? [])],
      deny_read: [...denyRead, ...settings.sandbox_deny_read],
    },
    redact: [],
    heartbeat_interval_s: settings.heartbeat_interval_s,
  };
}

/**
 * The payload of the task's present attempt. The deadline counts from the start of the session, which is known only when the
 * session asks. Throws EPOCH_STALE when there is none (the attempt has ended).
 */
export async function loadPayload(blobs: BlobStore, task: Task, now: number): Promise<Payload> {
  const stored = await blobs.get(payloadKey(task.task_id, task.attempt));
  if (stored === undefined)
    throw new BgAgentError(
      'EPOCH_STALE',
      `attempt ${task.attempt} of task ${task.task_id} has no payload any more`,
    );
  const payload: StoredPayload = JSON.parse(new TextDecoder().decode(stored));
  const startedAt = task.started_at === null ? now : Date.parse(task.started_at);
  return {
    ...payload,
    limits: { ...payload.limits, deadline_at: new Date(startedAt + task.deadline_s * 1_000).toISOString() },
  };
}
