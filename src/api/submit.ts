import { createHash } from 'node:crypto';
import type { z } from '@hono/zod-openapi';
import { resolveLimits } from '../policy/limits.ts';
import { screenTask } from '../policy/screen-task.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { RepoConfig } from '../task/repo.ts';
import { emptyTimings, type Task } from '../task/task.ts';
import { resolveWorkflow, type Workflow } from '../task/workflows.ts';
import type { Principal } from './api-keys.ts';
import type { ApiDeps, RepoReference } from './deps.ts';
import { onboard } from './onboard.ts';
import type { createTaskSchema } from './schemas/tasks.ts';

type Request = z.output<typeof createTaskSchema>;

/** Accepts a task: checks it, writes it with its first event, starts its execution. */
export async function submitTask(
  deps: ApiDeps,
  principal: Principal,
  request: Request,
  idempotencyKey: string | undefined,
): Promise<{ task: Task; created: boolean }> {
  const workflow = resolveWorkflow(request.workflow_ref);
  requireInput(workflow, request);
  const reference = await deps.resolveRepo(request.repo);
  requireForgeFeatures(reference, request);
  await screenTask(deps.screen, request.task_description ?? null);
  const config = await onboardedRepo(deps, reference);
  return acceptTask(deps, newTask(deps, principal, request, workflow, config), request, idempotencyKey);
}

/** Submits the inputs of an ended task once more. Throws TASK_NOT_TERMINAL by way of the caller's check. */
export async function resubmitTask(
  deps: ApiDeps,
  principal: Principal,
  earlier: Task,
  idempotencyKey: string | undefined,
): Promise<{ task: Task; created: boolean }> {
  await screenTask(deps.screen, earlier.task_description);
  await onboardedRepo(deps, { repo: earlier.repo, kind: 'named' });
  const task: Task = {
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
  };
  return acceptTask(deps, task, { retry_of: earlier.task_id }, idempotencyKey);
}

/** Written first, started second: what could not be started is started by a reconciler, so the answer is yes either way. */
async function acceptTask(
  { stores, driver, log }: ApiDeps,
  task: Task,
  request: object,
  idempotencyKey: string | undefined,
): Promise<{ task: Task; created: boolean }> {
  const stored = await stores.tasks.create(
    task,
    [
      {
        type: 'task_created',
        metadata: { workflow: task.resolved_workflow.id, agent: task.agent, retry_of: task.retry_of },
      },
    ],
    idempotencyKey === undefined ? undefined : { key: idempotencyKey, bodyHash: hashOf(request) },
  );
  if (!stored.created) return stored;
  try {
    await driver.start(stored.task);
  } catch (error) {
    log.error(
      {
        event: 'api.task.start_failed',
        error_id: 'API_TASK_START_FAILED',
        task_id: stored.task.task_id,
        error: messageOf(error),
      },
      'the execution of a new task did not start; a reconciler will start it',
    );
  }
  return stored;
}

function newTask(
  deps: ApiDeps,
  principal: Principal,
  request: Request,
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

function requireInput(workflow: Workflow, request: Request): void {
  for (const oneOf of workflow.needs) {
    const given = oneOf.some((field) => {
      const value = request[field];
      return typeof value === 'string' ? value.trim() !== '' : value != null;
    });
    if (!given)
      throw new BgAgentError('VALIDATION_ERROR', `${oneOf.join(' or ')}: needed by ${workflow.id}`, {
        field: oneOf[0] ?? '',
      });
  }
}

/** Issues and pull requests live on a forge; a plain git remote has none. */
function requireForgeFeatures({ kind, repo }: RepoReference, request: Request): void {
  if (kind === 'named') return;
  for (const field of ['issue_number', 'pr_number'] as const)
    if (request[field] != null)
      throw new BgAgentError(
        'VALIDATION_ERROR',
        `${field}: ${repo} is a plain git repository, which has neither issues nor pull requests; say what to do in task_description`,
        { field },
      );
}

async function onboardedRepo(deps: ApiDeps, { repo, kind }: RepoReference): Promise<RepoConfig> {
  const known = await deps.stores.repos.get(repo);
  if (known?.status === 'active') return known;
  if (kind === 'named' || known)
    throw new BgAgentError(
      'REPO_NOT_ONBOARDED',
      `${repo} is not onboarded; add it with \`bgagent repo add\``,
      {
        field: 'repo',
      },
    );
  return onboard(deps, repo, {});
}

/** The same request, however its fields are ordered and its absent ones written. */
function hashOf(request: object): string {
  const fields = Object.entries(request).filter(([, value]) => value != null);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex');
}
