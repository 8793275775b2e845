import type { Settings } from '../config/settings.ts';
import { resolveLimits } from '../policy/limits.ts';
import { BgAgentError } from '../task/errors.ts';
import type { RepoConfig } from '../task/repo.ts';
import { emptyTimings, type Task } from '../task/task.ts';
import type { Workflow } from '../task/workflows.ts';
import type { Principal } from './api-keys.ts';
import type { ApiDeps } from './deps.ts';
import { requireKnown } from './onboard.ts';
import type { SubmitRequest } from './schemas/tasks.ts';

/** The record of a new task: what the request asks for, else the repository's settings, else the platform's. */
export function newTask(
  deps: ApiDeps,
  principal: Principal,
  request: SubmitRequest,
  workflow: Workflow,
  config: RepoConfig,
): Task {
  const { settings, agents } = deps;
  const agent = request.agent ?? config.agent ?? settings.default_agent;
  requireKnown('agent', agent, agents);
  return {
    ...beginning(deps, principal),
    repo: config.repo,
    issue_number: request.issue_number ?? null,
    pr_number: request.pr_number ?? null,
    task_description: request.task_description ?? null,
    resolved_workflow: { id: workflow.id, version: workflow.version },
    agent,
    agent_command: commandOf(agent, config, settings),
    model_id: request.model_id ?? config.model_id,
    ...withinBackend(deps, config, resolveLimits(request, config, settings)),
    compute_type: config.compute_type,
    instance_type: config.instance_type,
    trace: request.trace ?? false,
    notifications: request.notifications ?? null,
    retry_of: null,
  };
}

/** Some backends end every session after some hours. */
function withinBackend<T extends { deadline_s: number }>(
  { computes }: ApiDeps,
  { compute_type }: RepoConfig,
  limits: T,
): T {
  const { maxDeadlineS = Number.POSITIVE_INFINITY } =
    computes.find(({ type }) => type === compute_type) ?? {};
  return { ...limits, deadline_s: Math.min(limits.deadline_s, maxDeadlineS) };
}

/** What the `command` agent runs; null for others, which have none. */
function commandOf(
  agent: string,
  { repo, agent_command }: Pick<RepoConfig, 'repo' | 'agent_command'>,
  { default_agent_command }: Pick<Settings, 'default_agent_command'>,
): string | null {
  if (agent !== 'command') return null;
  const command = agent_command ?? default_agent_command;
  if (command === null)
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `agent: no command is set; set agent_command of ${repo}, or the setting default_agent_command`,
      { field: 'agent' },
    );
  return command;
}

/**
 * The record of a new task that is asked the same as an ended one. The command is the repository's present one: to mend it is
 * why many a task is tried again.
 */
export const repeatedTask = (
  deps: ApiDeps,
  principal: Principal,
  earlier: Task,
  { workflow, config }: { workflow: Workflow; config: RepoConfig | undefined },
): Task => ({
  ...earlier,
  ...beginning(deps, principal),
  agent_command: commandOf(
    earlier.agent,
    { repo: earlier.repo, agent_command: config?.agent_command ?? null },
    deps.settings,
  ),
  // Of a task that opens its own, it's what came of the earlier one.
  pr_number: workflow.branch === 'pull_request' ? earlier.pr_number : null,
  retry_of: earlier.task_id,
});

/** How every record begins; the rest of it is what the task is asked to do, and with what. */
function beginning({ newId, now }: ApiDeps, { userId }: Principal) {
  const at = new Date(now()).toISOString();
  return {
    task_id: newId(),
    user_id: userId,
    status: 'SUBMITTED',
    branch_name: null,
    base_branch: null,
    base_sha: null,
    head_sha: null,
    compare_url: null,
    diff_stat: null,
    pr_url: null,
    outcome: null,
    outcome_summary: null,
    partial: false,
    error_message: null,
    error_classification: null,
    channel_source: 'api',
    channel_metadata: null,
    turns_attempted: null,
    turns_completed: null,
    cost_usd: null,
    build_passed: null,
    lint_passed: null,
    verification: null,
    prompt_version: null,
    attempt: 1,
    session: null,
    waiting_for: null,
    last_heartbeat_at: null,
    cancel_requested_at: null,
    created_at: at,
    updated_at: at,
    queued_at: null,
    admitted_at: null,
    started_at: null,
    completed_at: null,
    timings: emptyTimings(),
  } satisfies Partial<Task>;
}
