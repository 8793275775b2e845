import { z } from 'zod';
import type { ReviewThread } from '../collaboration.ts';
import { GitHubFailure } from './failures.ts';
import { boundTexts, type Newest } from './lists.ts';
import type { Session } from './sessions.ts';
import { cutText } from './texts.ts';

/** Only GraphQL knows which threads are resolved. */
const QUERY = `query($owner: String!, $name: String!, $number: Int!, $cursor: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 50, after: $cursor) {
        pageInfo { hasNextPage endCursor }
        nodes {
          path line isResolved isOutdated
          comments(first: 50) { nodes { body createdAt author { login } } }
        }
      }
    }
  }
}`;
/** 1,000 threads. */
const MAX_PAGES = 20;

const answerSchema = z.object({
  repository: z.object({
    pullRequest: z.object({
      reviewThreads: z.object({
        pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
        nodes: z.array(
          z.object({
            path: z.string(),
            line: z.number().nullable(),
            isResolved: z.boolean(),
            isOutdated: z.boolean(),
            comments: z.object({
              nodes: z.array(
                z.object({
                  body: z.string(),
                  createdAt: z.string(),
                  author: z.object({ login: z.string() }).nullable(),
                }),
              ),
            }),
          }),
        ),
      }),
    }),
  }),
});

/** Threads that nobody has resolved, oldest first. */
export async function unresolvedThreads(session: Session, number: number): Promise<Newest<ReviewThread>> {
  const threads: ReviewThread[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { nodes, pageInfo } = await ask(session, number, cursor);
    for (const { path, line, isResolved, isOutdated, comments } of nodes) {
      if (isResolved) continue;
      threads.push({
        path,
        line,
        outdated: isOutdated,
        comments: comments.nodes.map(({ author, body, createdAt }) => ({
          author: author?.login ?? 'ghost',
          body: cutText(body),
          createdAt,
        })),
      });
    }
    if (!pageInfo.hasNextPage) break;
    cursor = pageInfo.endCursor;
  }
  const bounded = boundTexts(
    threads.map((thread) => ({ thread, body: thread.comments.map(({ body }) => body).join('') })),
  );
  return { items: bounded.items.map(({ thread }) => thread), omitted: bounded.omitted };
}

async function ask({ client, owner, repo, name }: Session, number: number, cursor: string | null) {
  const answer: unknown = await client
    .graphql(QUERY, { owner, name: repo, number, cursor })
    .catch((error: unknown) => {
      throw error instanceof GitHubFailure ? error : graphqlFailure(error, name);
    });
  const parsed = answerSchema.safeParse(answer);
  if (parsed.success) return parsed.data.repository.pullRequest.reviewThreads;
  throw new GitHubFailure(
    'GITHUB_REFUSED',
    `GitHub answered for the review threads of ${name} with something unknown`,
    {
      status: 200,
      said: '',
    },
  );
}

/** Made anew: the error of the client holds the whole request. */
function graphqlFailure(error: unknown, name: string): unknown {
  const first: unknown =
    error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors[0] : undefined;
  if (typeof first !== 'object' || first === null) return error;
  const type = 'type' in first ? String(first.type) : '';
  const said = 'message' in first ? String(first.message).slice(0, 300) : '';
  if (type === 'FORBIDDEN' || /not accessible|must be granted|insufficient_scopes/i.test(said + type))
    return new GitHubFailure(
      'INSUFFICIENT_GITHUB_REPO_PERMISSIONS',
      `the credentials may not read the review threads of ${name}: "Pull requests: Read-only" is needed (${said})`,
      { status: 403, said },
    );
  if (type === 'NOT_FOUND')
    return new GitHubFailure(
      'PR_NOT_FOUND_OR_CLOSED',
      `the review threads of ${name} can not be read: ${said}`,
      {
        status: 404,
        said,
      },
    );
  return new GitHubFailure(
    'GITHUB_REFUSED',
    `GitHub refused to list the review threads of ${name}: ${said}`,
    {
      status: 200,
      said,
    },
  );
}
