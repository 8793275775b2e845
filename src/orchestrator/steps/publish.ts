import type { Collaboration } from '../../forge/collaboration.ts';
import { BgAgentError, codeOf, type ErrorCode, messageOf } from '../../task/errors.ts';
import type { NewEvent } from '../../task/events.ts';
import type { OutcomeReport } from '../../task/protocol.ts';
import { isTerminal } from '../../task/status.ts';
import type { Task } from '../../task/task.ts';
import { regressed } from '../../task/verification.ts';
import { type Claim, ownTask } from '../claim.ts';
import { conclude, concludeUnpublished, reportPatch } from '../conclusions.ts';
import type { StopReason } from '../decisions.ts';
import type { OrchestratorDeps } from '../dependencies.ts';
import { loadPayload } from '../payload.ts';
import { commitTitle } from '../prompt.ts';
import { prose } from '../publish/prose.ts';
import type { ReportedTask } from '../publish/report.ts';
import { iterationText, pullRequestText, reviewText } from '../publish/texts.ts';
import { isTransient } from '../settle.ts';
import { writeEnd } from './end.ts';
import { remoteHeadOf, sessionEnded } from './finalize.ts';

interface Publication {
  deps: OrchestratorDeps;
  forge: Collaboration;
  task: Task;
  outcome: OutcomeReport;
  /** The task as it will be when the report is taken in, and where people find it. */
  told: { task: ReportedTask; publicUrl: string | null };
}

/**
 * Opens the pull request, answers in it or posts the review, then ends the task. Each part finds what an earlier try has done
 * already, so that a crash between any two leaves one pull request, one answer, one review.
 */
export async function publish(deps: OrchestratorDeps, claim: Claim, stop: StopReason | null): Promise<void> {
  const { stores, settings } = deps;
  const task = await ownTask(stores, claim);
  const outcome = await stores.outcomes.get(claim.taskId, claim.attempt);
  const forge = deps.forgeFor(task.repo).collaboration;
  if (!outcome || !forge)
    throw new BgAgentError('OUTCOME_NOT_VERIFIED', 'there is no report, or no forge, to publish to');
  try {
    const remoteHead = await remoteHeadOf(deps, task, outcome);
    const end = conclude(task, outcome, stop, remoteHead);
    if (end.status !== 'COMPLETED') return await writeEnd(deps, task, end, sessionEnded(task, stop));
    const reported = { ...task, ...reportPatch(task, outcome), verification: outcome.verification };
    const told = { task: reported, publicUrl: settings.public_url };
    const done = await publishAs(deps, { deps, forge, task, outcome, told });
    await writeEnd(deps, done.task, conclude(done.task, outcome, stop, remoteHead), [
      ...sessionEnded(task, stop),
      ...done.events,
    ]);
  } catch (error) {
    // Whoever asked for the end does not wait for the forge to come back.
    if (isTransient(codeOf(error)) && (await ownTask(stores, claim)).cancel_requested_at !== null)
      throw new BgAgentError('CANCELLED_BY_USER', `cancelled before it was published: ${messageOf(error)}`, {
        cause: error,
      });
    throw error;
  }
}

/** The end of a task whose work is pushed, but could not be published. */
export async function endUnpublished(
  deps: OrchestratorDeps,
  claim: Claim,
  { code, message, stop }: { code: ErrorCode; message: string; stop: StopReason | null },
): Promise<void> {
  const task = await deps.stores.tasks.get(claim.taskId);
  if (!task || isTerminal(task.status) || task.attempt !== claim.attempt) return;
  const outcome = await deps.stores.outcomes.get(claim.taskId, claim.attempt);
  await writeEnd(deps, task, concludeUnpublished(task, outcome, code, message), sessionEnded(task, stop));
}

/** The task as it is afterwards, and what is to be told with its end. */
interface Published {
  task: Task;
  events: NewEvent[];
}

function publishAs({ workflows }: OrchestratorDeps, publication: Publication): Promise<Published> {
  const { outcome } = workflows.resolve(publication.task.resolved_workflow.id);
  if (outcome === 'review') return postReview(publication);
  return outcome === 'same_pull_request' ? answer(publication) : openPullRequest(publication);
}

async function openPullRequest({ deps, forge, task, outcome, told }: Publication): Promise<Published> {
  const { stores, blobs, now } = deps;
  const [config, payload] = await Promise.all([stores.repos.get(task.repo), loadPayload(blobs, task, now())]);
  const { branch_name, base_branch, head_sha } = { ...task, head_sha: outcome.head_sha };
  if (branch_name === null || base_branch === null || head_sha === null)
    throw new BgAgentError('OUTCOME_NOT_VERIFIED', 'the work has no branch, or nothing to be compared with');
  const title = payload.commit.title || commitTitle(task);
  const draft = regressed(outcome.verification);
  const opened = await forge.openPullRequest(task.repo, {
    taskId: task.task_id,
    branch: branch_name,
    base: base_branch,
    ...pullRequestText(told, { summary: outcome.summary, title }),
    draft,
    labels: config?.pr_labels ?? [],
    reviewers: config?.pr_reviewers ?? [],
  });
  if (opened.state === 'closed')
    throw new BgAgentError(
      'PR_NOT_FOUND_OR_CLOSED',
      `${opened.url} was closed while the task ran; its work is on ${branch_name}`,
    );
  // Of a merged one the branch may be gone; of an open one the head is what people look at.
  if (opened.state === 'open' && opened.headSha !== head_sha)
    throw new BgAgentError(
      'OUTCOME_NOT_VERIFIED',
      `${opened.url} is at ${opened.headSha}, not at the ${head_sha} that the runner reported`,
    );
  if (task.pr_url !== null) return { task, events: [] };
  const { number, url, warnings } = opened;
  // Told at once: it's what people wait for, and a crash before the end must not hide it.
  const updated = await stores.tasks.update(
    task.task_id,
    {
      when: { statuses: ['FINALIZING'], attempt: task.attempt },
      patch: { pr_url: url, pr_number: number },
    },
    [
      {
        type: 'pr_created',
        metadata: {
          pr_url: url,
          pr_number: number,
          draft: opened.draft,
          ...(warnings.length > 0 ? { warnings: [...warnings] } : {}),
        },
      },
    ],
  );
  return { task: updated, events: [] };
}

/** More commits are in the pull request by their push; what was done is said in a comment of the task's own. */
async function answer({ deps, forge, task, outcome, told }: Publication): Promise<Published> {
  const number = numberOf(task);
  // The one whose branch it was: closed meanwhile, the work is only on the branch.
  await deps.forgeFor(task.repo).preflight(task.repo, { push: false, prNumber: number });
  await forge.comment(task.repo, number, { taskId: task.task_id, body: iterationText(told, outcome) });
  const metadata = { pr_url: task.pr_url ?? '', pr_number: number, head_sha: outcome.head_sha };
  return { task, events: [{ type: 'pr_updated', metadata }] };
}

async function postReview({ forge, task, outcome, told }: Publication): Promise<Published> {
  const { review } = outcome;
  if (!review || task.base_sha === null)
    throw new BgAgentError('REVIEW_MISSING', 'the runner reported no review');
  const number = numberOf(task);
  const { url } = await forge.postReview(task.repo, number, {
    taskId: task.task_id,
    commitSha: task.base_sha,
    body: reviewText(told, review.summary),
    comments: review.comments.map((comment) => ({ ...comment, body: prose(comment.body) })),
  });
  const { length: comments } = review.comments;
  const metadata = { pr_url: task.pr_url ?? '', pr_number: number, review_url: url, comments };
  return { task, events: [{ type: 'review_posted', metadata }] };
}

function numberOf({ pr_number, repo }: Task): number {
  if (pr_number === null)
    throw new BgAgentError('PR_NOT_FOUND_OR_CLOSED', `the task on ${repo} names no pull request`);
  return pr_number;
}
