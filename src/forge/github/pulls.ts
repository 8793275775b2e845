import { BgAgentError } from '../../task/errors.ts';
import type { PullRequestRef } from '../collaboration.ts';
import { hasStatus } from './failures.ts';
import type { Session } from './sessions.ts';

type Answer = Awaited<ReturnType<typeof askFor>>;
export type Pull = Answer['data'];

const askFor = ({ client, owner, repo }: Session, number: number) =>
  client.request('GET /repos/{owner}/{repo}/pulls/{pull_number}', { owner, repo, pull_number: number });

/** Open or not. Throws PR_NOT_FOUND_OR_CLOSED. */
export async function anyPull(session: Session, number: number): Promise<Pull> {
  const { data } = await askFor(session, number).catch((error: unknown) => {
    if (!hasStatus(error, 404, 410)) throw error;
    throw new BgAgentError('PR_NOT_FOUND_OR_CLOSED', `${session.name} has no pull request ${number}`, {
      field: 'pr_number',
    });
  });
  return data;
}

/** An open one. Throws PR_NOT_FOUND_OR_CLOSED. */
export async function findPull(session: Session, number: number): Promise<Pull> {
  const pull = await anyPull(session, number);
  if (pull.state === 'open') return pull;
  throw new BgAgentError(
    'PR_NOT_FOUND_OR_CLOSED',
    `pull request ${number} of ${session.name} is ${pull.merged ? 'merged' : 'closed'}`,
    { field: 'pr_number' },
  );
}

export function pullRef(pull: Pull): PullRequestRef {
  // The types say that the fork is always there; it may have been deleted.
  const headRepo: { id: number | bigint } | null = pull.head.repo;
  return {
    number: pull.number,
    url: pull.html_url,
    title: pull.title,
    headBranch: pull.head.ref,
    headSha: pull.head.sha,
    headRef: `refs/pull/${pull.number}/head`,
    fromFork: headRepo?.id !== pull.base.repo.id,
    draft: pull.draft ?? false,
  };
}
