import { BgAgentError } from '../../task/errors.ts';
import { hasStatus } from './failures.ts';
import { newestOf } from './lists.ts';
import { makeOnce } from './once.ts';
import type { Session } from './sessions.ts';
import { hasMarker, withMarker } from './texts.ts';

/** How far back a comment of ours is looked for. */
const LOOK_BACK = 1_000;

/** One comment a task: found by its marker among those that we wrote, so that nobody can make us edit theirs. */
export async function commentOnce(
  session: Session,
  number: number,
  { taskId, body }: { taskId: string; body: string },
  sleep: (ms: number) => Promise<void>,
): Promise<{ url: string }> {
  const { client, owner, repo, name } = session;
  const text = withMarker(taskId, body);
  const viewer = await session.viewer();
  const notThere = (error: unknown): never => {
    if (!hasStatus(error, 404, 410)) throw error;
    throw new BgAgentError('ISSUE_NOT_FOUND', `${name} has no issue or pull request ${number}`);
  };

  const find = async () => {
    const { items } = await newestOf(
      (page) =>
        client.request('GET /repos/{owner}/{repo}/issues/{issue_number}/comments', {
          owner,
          repo,
          issue_number: number,
          ...page,
        }),
      LOOK_BACK,
    ).catch(notThere);
    return (
      items.findLast(({ user, body: said }) => user?.login === viewer && hasMarker(taskId, said)) ?? null
    );
  };
  const make = async () => {
    const { data } = await client
      .request('POST /repos/{owner}/{repo}/issues/{issue_number}/comments', {
        owner,
        repo,
        issue_number: number,
        body: text,
      })
      .catch(notThere);
    return data;
  };

  const { value } = await makeOnce({ find, make, sleep });
  if (value.body === text) return { url: value.html_url };
  try {
    await client.request('PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}', {
      owner,
      repo,
      comment_id: Number(value.id),
      body: text,
    });
    return { url: value.html_url };
  } catch (error) {
    // Deleted since we looked.
    if (!hasStatus(error, 404)) throw error;
    return { url: (await make()).html_url };
  }
}
