import { setTimeout as delay } from 'node:timers/promises';
import type { Forge, PreflightNeeds, Source } from '../../forge/forge.ts';
import { payloadKey } from '../../task/blob-keys.ts';
import { taskBranch } from '../../task/branch-name.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { Task } from '../../task/task.ts';
import type { Workflow } from '../../task/workflows.ts';
import { type Claim, ownWantedTask } from '../claim.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { type Context, fetchContext } from '../hydration/context.ts';
import { buildPayload, type WorkSource } from '../payload.ts';
import { PROMPT_VERSION } from '../prompt.ts';

/** Checks the repository, then collects what the runner needs and stores it. Throws HYDRATION_TIMEOUT. */
export async function hydrate(deps: OrchestratorDeps, claim: Claim): Promise<void> {
  const limitMs = deps.settings.hydration_timeout_s * 1_000;
  const abandoned = new AbortController();
  try {
    await Promise.race([
      collect(deps, claim, abandoned.signal),
      delay(limitMs, undefined, { signal: abandoned.signal }).then(() => {
        throw new BgAgentError(
          'HYDRATION_TIMEOUT',
          `the repository's answers took longer than ${deps.settings.hydration_timeout_s} s`,
        );
      }),
    ]);
  } finally {
    abandoned.abort();
  }
}

async function collect(deps: OrchestratorDeps, claim: Claim, abandoned: AbortSignal): Promise<void> {
  const { stores, blobs, forgeFor, screen, settings, denyRead, now } = deps;
  const startedAt = now();
  const task = await ownWantedTask(stores, claim);
  // Written by this attempt already, just before a crash.
  if (task.prompt_version !== null) return;
  const workflow = deps.workflows.resolve(task.resolved_workflow.id);
  const forge = forgeFor(task.repo);
  const found = await forge.preflight(task.repo, needsOf(task, workflow));
  const context = await fetchContext({
    collaboration: forge.collaboration,
    screen,
    maxTokens: settings.hydration_max_tokens,
    workflow,
    task,
  });
  const source =
    workflow.branch === 'pull_request'
      ? ontoPullRequest(task, workflow, found)
      : await ontoOwnBranch(task, forge, found, context);
  const payload = buildPayload({
    task,
    workflow,
    repoConfig: await stores.repos.get(task.repo),
    settings,
    source,
    context,
    denyRead,
  });
  // Its time is over, and another try may be at work.
  if (abandoned.aborted) return;
  await blobs.put(payloadKey(task.task_id, claim.attempt), JSON.stringify(payload));
  await stores.tasks.update(
    task.task_id,
    {
      when: { attempt: claim.attempt },
      patch: {
        branch_name: found.pullRequest?.headBranch ?? source.branch,
        base_branch: source.baseBranch,
        base_sha: source.startSha,
        ...(found.pullRequest
          ? { pr_url: found.pullRequest.url }
          : { compare_url: forge.compareUrl(task.repo, source.baseBranch, source.branch) }),
        prompt_version: PROMPT_VERSION,
        timings: { ...task.timings, hydrate_ms: now() - startedAt },
      },
    },
    [
      {
        type: 'preflight_passed',
        metadata: {
          base_branch: source.baseBranch,
          base_sha: source.startSha,
          ...(found.warnings.length > 0 ? { warnings: [...found.warnings] } : {}),
        },
      },
      {
        type: 'hydration_complete',
        metadata: { branch_name: source.branch, prompt_chars: payload.prompt.length, ...context.told },
      },
    ],
  );
}

const needsOf = (task: Task, { branch, read_only, hydrates }: Workflow): PreflightNeeds => ({
  push: !read_only,
  // Its end depends on the issue; what protects it goes by its beginning.
  branch: branch === 'new' ? (task.branch_name ?? taskBranch(task.task_id, task.task_description)) : null,
  prNumber: branch === 'pull_request' ? task.pr_number : null,
  issueNumber: hydrates.includes('issue') ? task.issue_number : null,
});

async function ontoOwnBranch(
  task: Task,
  forge: Forge,
  { url, baseBranch, baseSha }: Source,
  { title }: Context,
): Promise<WorkSource> {
  const branch = task.branch_name ?? taskBranch(task.task_id, task.task_description ?? title);
  return {
    url,
    baseBranch: task.base_branch ?? baseBranch,
    startSha: task.base_sha ?? baseSha,
    branch,
    // A later attempt goes on from what an earlier one pushed.
    resumeSha: task.attempt === 1 ? null : await forge.branchHead(task.repo, branch),
    pullRequest: null,
  };
}

/** A review reads the head as it is now; work on it goes on from what an earlier attempt, or somebody else meanwhile, pushed. */
function ontoPullRequest(
  task: Task,
  { read_only }: Workflow,
  { url, baseBranch, baseSha, pullRequest }: Source,
): WorkSource {
  if (!pullRequest)
    throw new BgAgentError('PR_NOT_FOUND_OR_CLOSED', `${task.repo} said nothing of #${task.pr_number}`);
  const startSha = read_only ? pullRequest.headSha : (task.base_sha ?? pullRequest.headSha);
  return {
    url,
    baseBranch,
    startSha,
    // Whoever has a fork names its branches; what is only read needs no name of theirs.
    branch: read_only ? `pr-${pullRequest.number}` : pullRequest.headBranch,
    resumeSha: startSha === pullRequest.headSha ? null : pullRequest.headSha,
    pullRequest: {
      rescue_branch: read_only ? null : taskBranch(task.task_id, pullRequest.title),
      head_ref: pullRequest.headRef,
      compare: { branch: baseBranch, sha: baseSha },
    },
  };
}
