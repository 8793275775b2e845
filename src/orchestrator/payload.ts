import { createHash } from 'node:crypto';
import type { Settings } from '../config/settings.ts';
import type { BlobStore } from '../stores/blob-store.ts';
import { payloadKey } from '../task/blob-keys.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Payload } from '../task/protocol.ts';
import type { RepoConfig } from '../task/repo.ts';
import type { Task } from '../task/task.ts';
import { buildPrompt, commitTitle } from './prompt.ts';

/** A payload whose deadline is not known yet. */
type StoredPayload = Omit<Payload, 'limits'> & { limits: Omit<Payload['limits'], 'deadline_at'> };

interface PayloadInput {
  task: Task;
  repoConfig: RepoConfig | undefined;
  settings: Settings;
  source: { url: string; baseBranch: string; baseSha: string; branch: string; resumeSha: string | null };
  /** Folders that no agent may read: the platform's data. */
  denyRead: readonly string[];
}

/** Everything the runner needs for one attempt. No secret goes in: those are fetched by `credentials`, when needed. */
export function buildPayload({ task, repoConfig, settings, source, denyRead }: PayloadInput): StoredPayload {
  return {
    task_id: task.task_id,
    attempt: task.attempt,
    workflow: task.resolved_workflow.id,
    read_only: false,
    repo: {
      url: source.url,
      cache_key: createHash('sha256').update(source.url).digest('hex').slice(0, 32),
      base_branch: source.baseBranch,
      base_sha: source.baseSha,
      branch_name: source.branch,
      resume_sha: source.resumeSha,
    },
    prompt: buildPrompt(
      task,
      { name: source.branch, base: source.baseBranch },
      repoConfig?.system_prompt_overrides,
    ),
    commit: {
      title: commitTitle(task),
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
