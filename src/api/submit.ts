import { createHash } from 'node:crypto';
import { screenTask } from '../policy/screen-task.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { RepoConfig } from '../task/repo.ts';
import { isTerminal } from '../task/status.ts';
import type { Task } from '../task/task.ts';
import { takesInput, type Workflow } from '../task/workflows.ts';
import { visibleTask } from './access.ts';
import type { Principal } from './api-keys.ts';
import type { ApiDeps, RepoReference } from './deps.ts';
import { newTask, repeatedTask } from './new-task.ts';
import { defaultConfig, onboard } from './onboard.ts';
import { createRateLimit, type RateLimit } from './rate-limit.ts';
import type { SubmitRequest } from './schemas/tasks.ts';

/** A task, and whether this request made it: not when its idempotency key was used before. */
export interface Submission {
  task: Task;
  created: boolean;
}

/** Where a task was asked for. */
export type Origin = Pick<Task, 'channel_source' | 'channel_metadata'>;

export interface Submitter {
  /** Tasks that each user may submit. */
  allowance: RateLimit;
  /** Accepts a task: checks it, writes it with its first event, starts its execution. `origin` default: the API. */
  submit(
    principal: Principal,
    request: SubmitRequest,
    idempotencyKey: string | undefined,
    origin?: Origin,
  ): Promise<Submission>;
  /** Submits the inputs of an ended task once more. */
  resubmit(
    principal: Principal,
    taskId: string,
    idempotencyKey: string | undefined,
    origin?: Origin,
  ): Promise<Submission>;
}

export function createSubmitter(deps: ApiDeps): Submitter {
  const { stores, settings, now } = deps;
  const allowance = createRateLimit({
    perMinute: settings.submit_rate_per_min,
    what: 'tasks may be submitted',
    now,
  });

  /** A request that was answered before is answered the same again, whatever has become of limits and repository (T4). */
  async function once(
    { userId }: Principal,
    request: object,
    key: string | undefined,
    make: () => Promise<Task>,
  ): Promise<Submission> {
    const idempotency = key === undefined ? undefined : { key, bodyHash: hashOf(request) };
    const earlier = idempotency && (await stores.tasks.findByIdempotencyKey(userId, idempotency));
    if (earlier) return { task: earlier, created: false };
    allowance.take(userId);
    return accept(deps, await make(), idempotency);
  }

  return {
    allowance,
    submit: (principal, request, key, origin) =>
      once(principal, request, key, async () => ({
        ...(await checkedTask(deps, principal, request)),
        ...origin,
      })),
    resubmit: (principal, taskId, key, origin) =>
      once(principal, { retry_of: taskId }, key, async () => ({
        ...(await checkedRepeat(deps, principal, taskId)),
        ...origin,
      })),
  };
}

async function checkedTask(deps: ApiDeps, principal: Principal, request: SubmitRequest): Promise<Task> {
  const workflow = deps.workflows.resolve(request.workflow_ref);
  requireInput(workflow, request);
  const reference = await deps.resolveRepo(request.repo);
  requireThere(reference);
  requireForgeFeatures(reference, request);
  await screenTask(deps.screen, request.task_description ?? null);
  const known = await activeRepo(deps, reference);
  const task = newTask(deps, principal, request, workflow, known ?? defaultConfig(deps, reference.repo));
  if (!known) await onboard(deps, reference.repo, {});
  return task;
}

async function checkedRepeat(deps: ApiDeps, principal: Principal, taskId: string): Promise<Task> {
  const earlier = await visibleTask(deps.stores, principal, taskId);
  if (!isTerminal(earlier.status))
    throw new BgAgentError('TASK_NOT_TERMINAL', `task ${taskId} is ${earlier.status}, not ended`);
  await screenTask(deps.screen, earlier.task_description);
  const config = await activeRepo(deps, { repo: earlier.repo, kind: 'named' });
  requireThere(await deps.resolveRepo(earlier.repo));
  const workflow = deps.workflows.resolve(earlier.resolved_workflow.id);
  return repeatedTask(deps, principal, earlier, { workflow, config });
}

/** Written first, started second: what could not be started is started by a reconciler, so the answer is yes either way. */
async function accept(
  { stores, driver, log }: ApiDeps,
  task: Task,
  idempotency: { key: string; bodyHash: string } | undefined,
): Promise<Submission> {
  const stored = await stores.tasks.create(
    task,
    [
      {
        type: 'task_created',
        metadata: { workflow: task.resolved_workflow.id, agent: task.agent, retry_of: task.retry_of },
      },
    ],
    idempotency,
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

function requireInput(workflow: Workflow, request: SubmitRequest): void {
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
  for (const field of ['issue_number', 'pr_number'] as const)
    if (request[field] != null && !takesInput(workflow, field))
      throw new BgAgentError(
        'VALIDATION_ERROR',
        `${field}: ${workflow.id} takes none${field === 'pr_number' ? '; pr_iteration and pr_review do (workflow_ref)' : ''}`,
        { field },
      );
}

/** What isn't there now won't be when the task's turn comes. */
function requireThere({ repo, missing }: RepoReference): void {
  if (missing)
    throw new BgAgentError('VALIDATION_ERROR', `repo: there is no ${repo} on the platform's machine`, {
      field: 'repo',
    });
}

/** Issues and pull requests live on a forge; a plain git remote has none. */
function requireForgeFeatures({ kind, repo }: RepoReference, request: SubmitRequest): void {
  if (kind === 'named') return;
  for (const field of ['issue_number', 'pr_number'] as const)
    if (request[field] != null)
      throw new BgAgentError(
        'VALIDATION_ERROR',
        `${field}: ${repo} is a plain git repository, which has neither issues nor pull requests; say what to do in task_description`,
        { field },
      );
}

/** The repository's settings; undefined when it may be onboarded now. Throws REPO_NOT_ONBOARDED when it may not. */
async function activeRepo(deps: ApiDeps, { repo, kind }: RepoReference): Promise<RepoConfig | undefined> {
  const known = await deps.stores.repos.get(repo);
  if (known?.status === 'active') return known;
  if (kind !== 'named' && !known) return undefined;
  throw new BgAgentError('REPO_NOT_ONBOARDED', `${repo} is not onboarded; add it with \`bgagent repo add\``, {
    field: 'repo',
  });
}

/** The same request, however its fields are ordered and its absent ones written. */
function hashOf(request: object): string {
  const fields = Object.entries(request).filter(([, value]) => value != null);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex');
}
