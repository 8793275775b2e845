import type { Comment, IssueThread, PullRequestThread, ReviewThread } from '../../forge/collaboration.ts';
import type { TextSource } from '../../policy/screen.ts';
import { fence, type Mark } from '../../task/fence.ts';
import { outsideCode, withoutHtmlComments } from '../../task/markdown.ts';

/** A text that somebody wrote on the forge, as it's measured, screened and shown to the agent: whole, or not at all. */
export interface Piece {
  mark: Mark;
  source: TextSource;
  /** What people call it: `issue #12`, `the comment of octo on issue #12`. */
  name: string;
  attributes: Readonly<Record<string, string>>;
  text: string;
  /**
   * What goes first when it's too much: `talk` before `thread`, and the oldest of each first. A `body` and `files` are never left
   * out, only cut.
   */
  weight: 'body' | 'files' | 'thread' | 'talk';
  /** ISO 8601. */
  at: string;
}

/** The piece as the agent sees it. */
export const rendered = ({ mark, text, attributes }: Piece): string => fence(mark, text, attributes);

export function issuePieces(issue: IssueThread): Piece[] {
  const name = `issue #${issue.number}`;
  return [
    {
      mark: 'forge-issue',
      source: 'issue',
      name,
      attributes: { number: String(issue.number), state: issue.state, author: issue.author },
      text: heading(issue.title, issue.labels, issue.body),
      weight: 'body',
      at: '',
    },
    ...issue.comments.filter(notOurs).map((comment) => commentPiece(comment, name)),
  ];
}

export function pullRequestPieces(pullRequest: PullRequestThread): Piece[] {
  const { number, author, baseBranch, headBranch, draft } = pullRequest;
  const name = `pull request #${number}`;
  return [
    {
      mark: 'forge-pull-request',
      source: 'pull_request',
      name,
      attributes: {
        number: String(number),
        author,
        into: baseBranch,
        from: headBranch,
        draft: String(draft),
      },
      text: heading(pullRequest.title, pullRequest.labels, pullRequest.body),
      weight: 'body',
      at: '',
    },
    filesPiece(pullRequest, name),
    ...pullRequest.comments.filter(notOurs).map((comment) => commentPiece(comment, name)),
    ...pullRequest.reviews
      .filter(({ body, verdict }) => body.trim() !== '' || verdict === 'changes_requested')
      .map(
        (review): Piece => ({
          ...commentPiece(review, name),
          mark: 'forge-review',
          name: `the review of ${review.author} on ${name}`,
          attributes: { author: review.author, at: review.createdAt, verdict: review.verdict },
        }),
      ),
    ...pullRequest.threads.map((thread) => threadPiece(thread, name)),
  ];
}

const commentPiece = ({ author, body, createdAt }: Comment, on: string): Piece => ({
  mark: 'forge-comment',
  source: 'comment',
  name: `the comment of ${author} on ${on}`,
  attributes: { author, at: createdAt, on },
  text: visible(body),
  weight: 'talk',
  at: createdAt,
});

function threadPiece({ path, line, outdated, comments }: ReviewThread, on: string): Piece {
  return {
    mark: 'forge-thread',
    source: 'comment',
    name: `the thread on ${path}${line === null ? '' : `:${line}`} of ${on}`,
    attributes: {
      path,
      ...(line === null ? {} : { line: String(line) }),
      ...(outdated ? { outdated: 'the line has changed since' } : {}),
    },
    text: comments.map(({ author, body }) => `${author}: ${visible(body)}`).join('\n\n'),
    weight: 'thread',
    at: comments.at(-1)?.createdAt ?? '',
  };
}

function filesPiece({ changedFiles, omittedFiles }: PullRequestThread, on: string): Piece {
  const more = omittedFiles > 0 ? [`and ${omittedFiles} more`] : [];
  return {
    mark: 'forge-files',
    source: 'pull_request',
    name: `the changed files of ${on}`,
    attributes: { files: String(changedFiles.length + omittedFiles) },
    text: [
      ...changedFiles.map((file) => `${file.status} ${file.path} +${file.additions} -${file.deletions}`),
      ...more,
    ].join('\n'),
    weight: 'files',
    at: '',
  };
}

const heading = (title: string, labels: readonly string[], body: string): string =>
  [`# ${title}`, labels.length > 0 ? `Labels: ${labels.join(', ')}` : '', visible(body)]
    .filter((part) => part !== '')
    .join('\n\n');

/**
 * What the platform has said of a task is for people: an agent is not to take its own words for somebody's wish. A review that
 * it posted is such a wish, and stays.
 */
const notOurs = ({ body }: Comment): boolean => !/^<!-- bgagent:/m.test(body);

/** Without what people don't see on the page, which is where orders to agents hide. */
const visible = (text: string): string => outsideCode(text, withoutHtmlComments).trim();
