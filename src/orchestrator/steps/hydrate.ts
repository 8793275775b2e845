import { setTimeout as delay } from 'node:timers/promises';
import { payloadKey } from '../../task/blob-keys.ts';
import { taskBranch } from '../../task/branch-name.ts';
import { BgAgentError } from '../../task/errors.ts';
import { type Claim, ownWantedTask } from '../claim.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { buildPayload } from '../payload.ts';
import { PROMPT_VERSION } from '../prompt.ts';

/** Checks the repository, then collects what the runner needs and stores it. Throws HYDRATION_TIMEOUT. */
export async function hydrate(deps: OrchestratorDeps, claim: Claim): Promise<void> {
  const limitMs = deps.settings.hydration_timeout_s * 1_000;
  const abandoned = new AbortController();
  try {
    await Promise.race([
      collect(deps, claim),
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

async function collect(
  { stores, blobs, forgeFor, settings, denyRead, now }: OrchestratorDeps,
  claim: Claim,
): Promise<void> {
  const startedAt = now();
  const task = await ownWantedTask(stores, claim);
  // Written by this attempt already, just before a crash.
  if (task.prompt_version !== null) return;
  const forge = forgeFor(task.repo);
  const { url, baseBranch, baseSha } = await forge.preflight(task.repo);
  const branch = task.branch_name ?? taskBranch(task.task_id, task.task_description);
  // A later attempt goes on from what an earlier one pushed.
  const resumeSha = claim.attempt === 1 ? null : await forge.branchHead(task.repo, branch);
  const repoConfig = await stores.repos.get(task.repo);
  const base = { baseBranch: task.base_branch ?? baseBranch, baseSha: task.base_sha ?? baseSha };
  const payload = buildPayload({
    task,
    repoConfig,
    settings,
    source: { url, ...base, branch, resumeSha },
    denyRead,
  });
  await blobs.put(payloadKey(task.task_id, claim.attempt), JSON.stringify(payload));
  await stores.tasks.update(
    task.task_id,
    {
      when: { attempt: claim.attempt },
      patch: {
        branch_name: branch,
        base_branch: base.baseBranch,
        base_sha: base.baseSha,
        compare_url: forge.compareUrl(task.repo, base.baseBranch, branch),
        prompt_version: PROMPT_VERSION,
        timings: { ...task.timings, hydrate_ms: now() - startedAt },
      },
    },
    [
      { type: 'preflight_passed', metadata: { base_branch: base.baseBranch, base_sha: base.baseSha } },
      { type: 'hydration_complete', metadata: { branch_name: branch, prompt_chars: payload.prompt.length } },
    ],
  );
}
