import { z } from 'zod';

/** What a webhook asks for, if anything. Pure: whether its sender may, and whether it was asked before, is decided elsewhere. */
export type Asked =
  | { kind: 'task'; request: AskedTask }
  /** Someone wants their account there to be a user here. */
  | { kind: 'link'; repo: string; number: number; sender: Sender; code: string }
  /** Someone wants their tasks on this issue or pull request to end. */
  | { kind: 'cancel'; repo: string; number: number; sender: Sender }
  | { kind: 'nothing'; why: string };

export interface AskedTask {
  repo: string;
  issueNumber: number | null;
  prNumber: number | null;
  description: string | null;
  sender: Sender;
  /** The task whose branch is to be followed up by the platform itself; null when a person asked. */
  followsUp: string | null;
}

export interface Sender {
  /** GitHub's number of the account; names change hands. */
  id: number;
  login: string;
}

/** Characters of a task's description. */
const DESCRIPTION = 10_000;
const LABEL = 'bgagent';
/** The id of the task that made a branch, by the branch's name. */
const taskOf = (branch: string | null): string | null =>
  /^bgagent\/([0-7][0-9A-HJKMNP-TV-Z]{25})\//.exec(branch ?? '')?.[1] ?? null;

const account = z.object({ id: z.number(), login: z.string(), type: z.string().optional() });
const about = { repository: z.object({ full_name: z.string() }), sender: account };
const pullRequest = z.object({
  number: z.number().int(),
  state: z.string(),
  head: z.object({ ref: z.string(), repo: z.object({ full_name: z.string() }).nullable() }),
});

const issueComment = z.object({
  ...about,
  action: z.string(),
  issue: z.object({ number: z.number().int(), state: z.string(), pull_request: z.unknown().optional() }),
  comment: z.object({ body: z.string(), user: account.nullable() }),
});

const reviewComment = z.object({
  ...about,
  action: z.string(),
  comment: z.object({
    body: z.string(),
    user: account.nullable(),
    path: z.string(),
    line: z.number().nullish(),
  }),
  pull_request: pullRequest,
});

const labeled = z.object({
  ...about,
  action: z.string(),
  label: z.object({ name: z.string() }).optional(),
  issue: z.object({ number: z.number().int(), state: z.string() }),
});

const review = z.object({
  ...about,
  action: z.string(),
  review: z.object({
    state: z.string(),
    body: z.string().nullish(),
    html_url: z.string(),
    user: account.nullable(),
  }),
  pull_request: pullRequest,
});

const checkSuite = z.object({
  ...about,
  action: z.string(),
  check_suite: z.object({
    conclusion: z.string().nullable(),
    head_branch: z.string().nullable(),
    head_sha: z.string(),
    pull_requests: z.array(z.object({ number: z.number().int() })),
  }),
});

const nothing = (why: string): Asked => ({ kind: 'nothing', why });

/**
 * Reads an event by its name (`X-GitHub-Event`) and payload. `mention` is the name that people write after `@`. Throws ZodError
 * when the payload hasn't the shape that GitHub documents for the event.
 */
export function askedBy(event: string, payload: unknown, mention: string): Asked {
  const read = READERS[event];
  return read ? read(payload, mention) : nothing(`events of the type ${event} mean nothing here`);
}

const READERS: Readonly<Record<string, (payload: unknown, mention: string) => Asked>> = {
  issue_comment(payload, mention) {
    const { action, issue, comment, repository, sender } = issueComment.parse(payload);
    if (action !== 'created') return nothing(`a comment was ${action}`);
    if (isBot(comment.user ?? sender)) return nothing('a program wrote it');
    const said = textAfterMention(comment.body, mention);
    if (said === undefined) return nothing('nobody was mentioned');
    const code = /^link\s+([A-Za-z0-9-]{6,64})$/.exec(said)?.[1];
    if (code !== undefined)
      return { kind: 'link', repo: repository.full_name, number: issue.number, sender, code };
    if (/^cancel\b[.!]?$/i.test(said))
      return { kind: 'cancel', repo: repository.full_name, number: issue.number, sender };
    if (issue.state !== 'open') return nothing('it is closed');
    const onPullRequest = issue.pull_request !== undefined && issue.pull_request !== null;
    return task({
      repo: repository.full_name,
      issueNumber: onPullRequest ? null : issue.number,
      prNumber: onPullRequest ? issue.number : null,
      description: said || null,
      sender,
      followsUp: null,
    });
  },

  pull_request_review_comment(payload, mention) {
    const { action, comment, pull_request, repository, sender } = reviewComment.parse(payload);
    if (action !== 'created') return nothing(`a comment was ${action}`);
    if (isBot(comment.user ?? sender)) return nothing('a program wrote it');
    const said = textAfterMention(comment.body, mention);
    if (said === undefined) return nothing('nobody was mentioned');
    if (pull_request.state !== 'open') return nothing('it is closed');
    const where = comment.line ? `${comment.path}:${comment.line}` : comment.path;
    return task({
      repo: repository.full_name,
      issueNumber: null,
      prNumber: pull_request.number,
      description: `On ${where}: ${said}`,
      sender,
      followsUp: null,
    });
  },

  issues(payload) {
    const { action, issue, label, repository, sender } = labeled.parse(payload);
    if (action !== 'labeled' || label?.name.toLowerCase() !== LABEL)
      return nothing(`no label "${LABEL}" was added`);
    if (issue.state !== 'open') return nothing('it is closed');
    return task({
      repo: repository.full_name,
      issueNumber: issue.number,
      prNumber: null,
      description: null,
      sender,
      followsUp: null,
    });
  },

  pull_request_review(payload, mention) {
    const { action, review: given, pull_request, repository, sender } = review.parse(payload);
    if (action !== 'submitted') return nothing(`a review was ${action}`);
    if (isBot(given.user ?? sender)) return nothing('a program wrote it');
    if (pull_request.state !== 'open') return nothing('it is closed');
    const said = textAfterMention(given.body ?? '', mention);
    const inside = pull_request.head.repo?.full_name === repository.full_name;
    const ours = inside ? taskOf(pull_request.head.ref) : null;
    if (said === undefined && ours === null) return nothing('the pull request is not of this platform');
    if (said === undefined && given.state.toLowerCase() !== 'changes_requested')
      return nothing(`a review that ${given.state} asks for no change`);
    return task({
      repo: repository.full_name,
      issueNumber: null,
      prNumber: pull_request.number,
      description: said || `Go through the review ${given.html_url}`,
      sender,
      followsUp: said === undefined ? ours : null,
    });
  },

  check_suite(payload) {
    const { action, check_suite, repository, sender } = checkSuite.parse(payload);
    const { conclusion, head_branch, head_sha, pull_requests } = check_suite;
    const [first] = pull_requests;
    if (action !== 'completed' || (conclusion !== 'failure' && conclusion !== 'timed_out'))
      return nothing('no check failed');
    const ours = taskOf(head_branch);
    if (!first || ours === null) return nothing('the pull request is not of this platform');
    return task({
      repo: repository.full_name,
      issueNumber: null,
      prNumber: first.number,
      description: `The checks of commit ${head_sha} failed. Find out why, and mend it.`,
      sender,
      followsUp: ours,
    });
  },
};

const task = (request: AskedTask): Asked => ({
  kind: 'task',
  request: { ...request, description: request.description?.slice(0, DESCRIPTION) ?? null },
});

/** Programs never start tasks: two of them could keep each other busy without end. */
const isBot = ({ login, type }: z.infer<typeof account>): boolean =>
  type === 'Bot' || login.endsWith('[bot]');

/** What is said to `@mention`; undefined when it isn't mentioned, or only in a quotation or in code. */
export function textAfterMention(body: string, mention: string): string | undefined {
  const own = body
    .replace(/\r\n?/g, '\n')
    .replace(/^(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^\1[`~]*\s*$|(?![\s\S]))/gm, '')
    .replace(/^ {0,3}>.*$/gm, '')
    .replace(/`[^`\n]*`/g, (span) => (span.toLowerCase().includes(`@${mention.toLowerCase()}`) ? '' : span));
  const name = mention.replace(/[^A-Za-z0-9-]/g, '\\$&');
  const found = new RegExp(`(?:^|[^\\w/@.-])@${name}(?![\\w-])[:,]?`, 'i').exec(own);
  if (!found) return undefined;
  return own.slice(found.index + found[0].length).trim();
}
