import { resolveLimits } from '../policy/limits.ts';
import { BgAgentError } from '../task/errors.ts';
import type { RepoConfig } from '../task/repo.ts';
import { emptyTimings, type Task } from '../task/task.ts';
import type { Workflow } from '../task/workflows.ts';
import type { Principal } from './api-keys.ts';
import type { ApiDeps } from './deps.ts';
import type { SubmitRequest } from './schemas/tasks.ts';

/** The record of a new task: what the request asks for, else the repository's settings, else the platform's. */
export function newTask(
  deps: ApiDeps,
  principal: Principal,
  request: SubmitRequest,
  workflow: Workflow,
  config: RepoConfig,
): Task {
  const { settings, agents = ['command'] } = deps;
  const agent = request.agent ?? config.agent ?? settings.default_agent;
  if (!agents.includes(agent))
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `agent: "${agent}" is not available here; ${agents.join(', ')}`,
      {
        field: 'agent',
      },
    );
  const agentCommand = agent === 'command' ? (config.agent_command ?? settings.default_agent_command) : null;
  if (agent === 'command' && agentCommand === null)
    throw new BgAgentError(
      'VALIDATION_ERROR',
      `agent: no command is set; set agent_command of ${config.repo}, or the setting default_agent_command`,
      { field: 'agent' },
    );
  return {
    ...emptyTask(deps, principal),
    repo: config.repo,
    issue_number: request.issue_number ?? null,
    pr_number: request.pr_number ?? null,
    task_description: request.task_description ?? null,
    resolved_workflow: { id: workflow.id, version: workflow.version },
    agent,
    agent_command: agentCommand,
    model_id: request.model_id ?? config.model_id,
    ...resolveLimits(request, config, settings),
    compute_type: config.compute_type,
    instance_type: config.instance_type,
    trace: request.trace ?? false,
  };
}

/** The record of a new task with the inputs of an ended one. */
export const repeatedTask = (deps: ApiDeps, principal: Principal, earlier: Task): Task => ({
  ...emptyTask(deps, principal),
  repo: earlier.repo,
  issue_number: earlier.issue_number,
  pr_number: earlier.pr_number,
  task_description: earlier.task_description,
  resolved_workflow: earlier.resolved_workflow,
  agent: earlier.agent,
  agent_command: earlier.agent_command,
  model_id: earlier.model_id,
  max_turns: earlier.max_turns,
  max_budget_usd: earlier.max_budget_usd,
  deadline_s: earlier.deadline_s,
  compute_type: earlier.compute_type,
  instance_type: earlier.instance_type,
  trace: earlier.trace,
  retry_of: earlier.task_id,
});

function emptyTask({ newId, now, settings }: ApiDeps, principal: Principal): Task {
  const at = new Date(now()).toISOString();
  return {
    task_id: newId(),
    user_id: principal.userId,
    status: 'SUBMITTED',
    repo: '',
    issue_number: null,
    pr_number: null,
    task_description: null,
    resolved_workflow: { id: '', version: '' },
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
    agent: settings.default_agent,
    agent_command: null,
    model_id: null,
    max_turns: settings.default_max_turns,
    max_budget_usd: settings.default_max_budget_usd,
    deadline_s: settings.default_deadline_s,
    compute_type: 'local',
    instance_type: null,
    turns_attempted: null,
    turns_completed: null,
    cost_usd: null,
    build_passed: null,
    lint_passed: null,
    prompt_version: null,
    trace: false,
    retry_of: null,
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
  };
}
