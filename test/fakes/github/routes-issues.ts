import { loginOf } from './access.ts';
import { type Call, invalid, notFound, page, Refusal, type Route, route, text, texts } from './http.ts';
import { commentShape, issueShape } from './shapes.ts';
import { type Comment, fullName, type Issue, isoNow } from './world.ts';

const READ = [{ issues: 'read' }, { pull_requests: 'read' }] as const;
const WRITE = [{ issues: 'write' }, { pull_requests: 'write' }] as const;
const MAX_BODY = 65_536;

export const issueRoutes: readonly Route[] = [
  route('GET', '/repos/{owner}/{repo}/issues', [{ issues: 'read' }], (call) =>
    page(
      call,
      [...call.repo.issues.values()].map((issue) => issueShape(call, issue)),
    ),
  ),
  route('GET', '/repos/{owner}/{repo}/issues/{number}', READ, (call) => {
    const issue = findIssue(call);
    return { status: 200, body: issueShape(call, issue) };
  }),
  route('GET', '/repos/{owner}/{repo}/issues/{number}/comments', READ, (call) => {
    const issue = findIssue(call);
    return page(
      call,
      issue.comments.map((comment) => commentShape(call, issue, comment)),
    );
  }),
  route('POST', '/repos/{owner}/{repo}/issues/{number}/comments', WRITE, (call) => {
    const issue = findIssue(call);
    const comment = newComment(call);
    issue.comments.push(comment);
    return { status: 201, body: commentShape(call, issue, comment) };
  }),
  route('GET', '/repos/{owner}/{repo}/issues/comments/{id}', READ, (call) => {
    const [issue, comment] = findComment(call);
    return { status: 200, body: commentShape(call, issue, comment) };
  }),
  route('PATCH', '/repos/{owner}/{repo}/issues/comments/{id}', WRITE, (call) => {
    const [issue, comment] = findComment(call);
    comment.body = checkedBody(call);
    return { status: 200, body: commentShape(call, issue, comment) };
  }),
  route('DELETE', '/repos/{owner}/{repo}/issues/comments/{id}', WRITE, (call) => {
    const [issue, comment] = findComment(call);
    issue.comments.splice(issue.comments.indexOf(comment), 1);
    return { status: 204 };
  }),
  route('POST', '/repos/{owner}/{repo}/issues/{number}/labels', WRITE, (call) => {
    const issue = findIssue(call);
    const labels = texts(call.body.labels);
    if (labels.some((label) => label.length > 50))
      throw invalid({ resource: 'Label', code: 'invalid', field: 'name' });
    for (const label of labels) if (!issue.labels.includes(label)) issue.labels.push(label);
    return { status: 200, body: issue.labels.map((name) => ({ name })) };
  }),
];

export function findIssue(call: Call): Issue {
  const issue = call.repo.issues.get(Number(call.params.number));
  if (!issue) throw notFound();
  if (issue.deleted) throw new Refusal(410, 'This issue was deleted');
  if (issue.movedTo) {
    const { repo, number } = issue.movedTo;
    throw new Moved(`${call.apiUrl}/repos/${fullName(repo)}/issues/${number}`);
  }
  return issue;
}

class Moved extends Refusal {
  constructor(location: string) {
    super(301, 'Moved Permanently', { url: location }, { location });
  }
}

function findComment({ repo, params }: Call): [Issue, Comment] {
  for (const issue of repo.issues.values())
    for (const comment of issue.comments) if (String(comment.id) === params.id) return [issue, comment];
  throw notFound();
}

const newComment = (call: Call): Comment => ({
  id: call.world.nextId(),
  author: loginOf(call.principal),
  body: checkedBody(call),
  createdAt: isoNow(call.world),
});

export function checkedBody({ body }: Pick<Call, 'body'>): string {
  const value = text(body.body);
  if (value.length > MAX_BODY)
    throw invalid({
      resource: 'IssueComment',
      code: 'custom',
      field: 'body',
      message: 'body is too long (maximum is 65536 characters)',
    });
  return value;
}
