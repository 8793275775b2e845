import type { PostedReview, ReviewDraft } from '../collaboration.ts';
import { linesOfPatch } from './diff-lines.ts';
import { hasStatus } from './failures.ts';
import { newestOf } from './lists.ts';
import { makeOnce } from './once.ts';
import { anyPull } from './pulls.ts';
import type { Session } from './sessions.ts';
import { cutText, hasMarker, withMarker } from './texts.ts';

type InlineComment = ReviewDraft['comments'][number];

/** GitHub takes more, but nobody reads them. */
const MAX_INLINE = 100;
const LOOK_BACK = 1_000;

/** One review a task, with all its comments: those on lines of the diff beside these lines, the others in its text. */
export async function postReview(
  session: Session,
  number: number,
  review: ReviewDraft,
  sleep: (ms: number) => Promise<void>,
): Promise<PostedReview> {
  const { taskId, commitSha } = review;
  // What was found out is worth saying even when the pull request was closed meanwhile.
  const pull = await anyPull(session, number);
  const viewer = await session.viewer();
  const warnings: string[] = [];
  const { value, created } = await makeOnce({
    find: () => findOwn(session, number, { taskId, viewer }),
    async make() {
      const lines = await commentable(session, number, {
        base: pull.base.ref,
        head: pull.head.sha,
        commitSha,
      });
      const fits = ({ path, line }: InlineComment): boolean => lines.get(path)?.has(line) ?? false;
      const inline = review.comments.filter(fits).slice(0, MAX_INLINE);
      const aside = review.comments.filter((comment) => !inline.includes(comment));
      warnings.splice(0);
      if (aside.length > 0)
        warnings.push(`${aside.length} comments fit no line of the diff and are in the text`);
      try {
        return await post(session, number, review, inline, aside);
      } catch (error) {
        // All or nothing, and GitHub doesn't say which line it is.
        if (inline.length === 0 || !hasStatus(error, 422)) throw error;
        warnings.splice(0, Number.POSITIVE_INFINITY, `GitHub took no comment on a line: ${error.said}`);
        return post(session, number, review, [], review.comments);
      }
    },
    sleep,
  });
  return { url: value.html_url, created, warnings };
}

async function findOwn(
  { client, owner, repo }: Session,
  number: number,
  { taskId, viewer }: { taskId: string; viewer: string },
): Promise<{ html_url: string } | null> {
  const { items } = await newestOf(
    (page) =>
      client.request('GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews', {
        owner,
        repo,
        pull_number: number,
        ...page,
      }),
    LOOK_BACK,
  );
  return items.find(({ user, body }) => user?.login === viewer && hasMarker(taskId, body)) ?? null;
}

async function post(
  { client, owner, repo }: Session,
  number: number,
  { taskId, commitSha, body }: ReviewDraft,
  inline: readonly InlineComment[],
  aside: readonly InlineComment[],
): Promise<{ html_url: string }> {
  const { data } = await client.request('POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews', {
    owner,
    repo,
    pull_number: number,
    commit_id: commitSha,
    event: 'COMMENT',
    body: withMarker(taskId, [body, ...asideText(aside)].join('\n\n')),
    comments: inline.map(({ path, line, body: said }) => ({
      path,
      line,
      side: 'RIGHT',
      body: cutText(said),
    })),
  });
  return data;
}

const asideText = (comments: readonly InlineComment[]): string[] =>
  comments.length === 0
    ? []
    : [
        '**On lines outside of the diff**',
        ...comments.map(({ path, line, body }) => `\`${path}:${line}\`: ${body}`),
      ];

/** The lines of the diff as it was when it was read; the pull request may have moved on. */
async function commentable(
  { client, owner, repo }: Session,
  number: number,
  { base, head, commitSha }: { base: string; head: string; commitSha: string },
): Promise<Map<string, Set<number>>> {
  if (head !== commitSha) {
    const { data } = await client.request('GET /repos/{owner}/{repo}/compare/{basehead}', {
      owner,
      repo,
      basehead: `${base}...${commitSha}`,
    });
    return new Map(data.files?.map(({ filename, patch }) => [filename, linesOfPatch(patch)]));
  }
  const lines = new Map<string, Set<number>>();
  const pages = client.paginate.iterator('GET /repos/{owner}/{repo}/pulls/{pull_number}/files', {
    owner,
    repo,
    pull_number: number,
    per_page: 100,
  });
  for await (const { data } of pages)
    for (const { filename, patch } of data) lines.set(filename, linesOfPatch(patch));
  return lines;
}
