import { BgAgentError } from '../../task/errors.ts';
import type { PullRequestRef } from '../collaboration.ts';
import type { PreflightNeeds, Source } from '../forge.ts';
import type { Addresses } from './addresses.ts';
import { hasStatus } from './failures.ts';
import { missingPermissions, type Permissions } from './installations.ts';
import { findPull, pullRef } from './pulls.ts';
import { pushProblem } from './push-right.ts';
import type { Session } from './sessions.ts';

/** Whether a task can begin on the repository, and where from. */
export async function preflight(
  session: Session,
  { web }: Addresses,
  { push = true, branch = null, prNumber = null, issueNumber = null }: PreflightNeeds,
  { workflowFiles, timeoutMs }: { workflowFiles: boolean; timeoutMs: number },
): Promise<Source> {
  const { client, name, owner, repo } = session;
  const { data, headers } = await client.request('GET /repos/{owner}/{repo}', { owner, repo });
  const warnings: string[] = [];
  if (data.full_name.toLowerCase() !== name.toLowerCase())
    warnings.push(`${name} is called ${data.full_name} now: onboard it under that name`);
  if (data.archived && push)
    throw new BgAgentError('REPO_ARCHIVED', `${name} is archived, so it is read-only`);
  if (data.disabled) throw new BgAgentError('REPO_NOT_FOUND_OR_NO_ACCESS', `${name} is disabled by GitHub`);

  const pull = prNumber === null ? null : await findPull(session, prNumber);
  const pullRequest = pull && pullRef(pull);
  if (pullRequest && push) requireOwnBranch(name, pullRequest, pull?.head.repo?.full_name ?? null);

  const baseBranch = pull?.base.ref ?? data.default_branch;
  const baseSha = await headOf(session, baseBranch);
  if (baseSha === null) await sayWhyNoBranch(session, baseBranch);

  await requireRights(
    session,
    wantedRights({ push, workflowFiles, issueNumber, pulls: push || prNumber !== null }),
  );
  if (push) {
    const problem =
      session.identity.kind === 'token'
        ? await pushProblem(
            { web, fullName: data.full_name, token: session.identity.token, timeoutMs },
            {
              mayPush: data.permissions?.push ?? false,
              scopes: headers['x-oauth-scopes'],
              isPrivate: data.private,
            },
          )
        : null;
    if (problem !== null)
      throw new BgAgentError(
        'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
        `${name} may not be pushed to: ${problem}`,
      );
    const target = pullRequest?.headBranch ?? branch;
    if (target !== null) warnings.push(...(await protectionOf(session, target)));
  }
  return {
    url: `${web}/${data.full_name}.git`,
    baseBranch,
    baseSha: baseSha ?? '',
    pullRequest,
    warnings,
  };
}

/** The commit of a branch; null when there is none. Throws REPO_EMPTY. */
export async function headOf({ client, owner, repo }: Session, branch: string): Promise<string | null> {
  try {
    const { data } = await client.request('GET /repos/{owner}/{repo}/git/ref/{ref}', {
      owner,
      repo,
      ref: `heads/${branch}`,
    });
    return data.object.sha;
  } catch (error) {
    if (hasStatus(error, 404)) return null;
    throw error;
  }
}

async function sayWhyNoBranch({ name }: Session, branch: string): Promise<never> {
  throw new BgAgentError(
    'BRANCH_INVALID',
    `${name} has no branch ${branch}, from which the task would start`,
  );
}

function requireOwnBranch(name: string, pullRequest: PullRequestRef, headRepo: string | null): void {
  if (!pullRequest.fromFork) return;
  throw new BgAgentError(
    'PR_FROM_FORK',
    `the branch of pull request ${pullRequest.number} of ${name} is in ${headRepo ?? 'a fork that was deleted'}, where the platform may not push`,
  );
}

const wantedRights = (needs: {
  push: boolean;
  workflowFiles: boolean;
  issueNumber: number | null;
  pulls: boolean;
}): Permissions => ({
  contents: needs.push ? 'write' : 'read',
  ...(needs.pulls ? { pull_requests: 'write' } : {}),
  ...(needs.issueNumber === null ? {} : { issues: 'read' }),
  ...(needs.push && needs.workflowFiles ? { workflows: 'write' } : {}),
});

/** What an App was given is known beforehand; what a token may do shows in its answers. */
async function requireRights({ installations, name }: Session, wanted: Permissions): Promise<void> {
  if (!installations) return;
  const lacks = async () => missingPermissions(wanted, (await installations.on(name)).permissions);
  if ((await lacks()).length === 0) return;
  // They may have been given since the last look.
  installations.forget(name);
  const missing = await lacks();
  const { url } = await installations.on(name);
  if (missing.length > 0)
    throw new BgAgentError(
      'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
      `the GitHub App lacks ${missing.join(' and ')} on ${name}: give it in the settings of the App, then accept it at ${url}`,
    );
}

/** Rules that refuse a push for certain end the task before it begins; what only may refuse it is said. */
async function protectionOf(session: Session, branch: string): Promise<string[]> {
  const { client, owner, repo, name } = session;
  const exists = (await headOf(session, branch)) !== null;
  const stopping = exists ? ['update', 'pull_request', 'merge_queue'] : ['creation'];
  const rules = await unlessHidden(
    client.request('GET /repos/{owner}/{repo}/rules/branches/{branch}', { owner, repo, branch }),
  );
  const rule = rules?.data.find(({ type }) => stopping.includes(type));
  if (rule) {
    const bypass = await bypassOf(session, 'ruleset_id' in rule ? rule.ruleset_id : undefined);
    const text = `a rule of ${name} ("${rule.type}") keeps pushes off the branch ${branch}`;
    if (bypass === 'never') throw new BgAgentError('PUSH_REJECTED', text);
    return bypass === 'always' ? [] : [`${text}, unless the platform may bypass it`];
  }
  if (!exists) return [];
  const found = await unlessHidden(
    client.request('GET /repos/{owner}/{repo}/branches/{branch}', { owner, repo, branch }),
  );
  return found?.data.protected
    ? [`the branch ${branch} of ${name} is protected; the push may be refused`]
    : [];
}

/** Servers of companies may not have rules yet, and not every token may see them. */
async function unlessHidden<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (hasStatus(error, 403, 404)) return null;
    throw error;
  }
}

async function bypassOf(
  { client, owner, repo }: Session,
  id: number | undefined,
): Promise<string | undefined> {
  if (id === undefined) return undefined;
  const found = await unlessHidden(
    client.request('GET /repos/{owner}/{repo}/rulesets/{ruleset_id}', { owner, repo, ruleset_id: id }),
  );
  return found?.data.current_user_can_bypass;
}
