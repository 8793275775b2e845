import type { Endpoints } from '@octokit/types';
import { loginOf, roleOf } from './access.ts';
import { changedFiles, syncPulls } from './git.ts';
import type { Call } from './http.ts';
import {
  type App,
  type Comment,
  fullName,
  type Installation,
  type Issue,
  type Repo,
  type Review,
  type World,
} from './world.ts';

/** The documents that GitHub answers with, as far as anyone here reads them; their types are those of GitHub's own description. */

type Some<T> = T extends readonly (infer Item)[]
  ? readonly Some<Item>[]
  : T extends object
    ? { [Key in keyof T]?: Some<T[Key]> | undefined }
    : T;
export type Document<Route extends keyof Endpoints> = Some<Endpoints[Route]['response']['data']>;
type RepoDocument = Pick<
  Document<'GET /repos/{owner}/{repo}'>,
  | 'id'
  | 'name'
  | 'full_name'
  | 'private'
  | 'owner'
  | 'html_url'
  | 'url'
  | 'clone_url'
  | 'default_branch'
  | 'archived'
  | 'disabled'
  | 'fork'
  | 'permissions'
>;
/** The description leaves out that people and forks may be gone. */
type PullDocument = Omit<Document<'GET /repos/{owner}/{repo}/pulls/{pull_number}'>, 'head' | 'user'> & {
  user: UserDocument | null;
  head: { ref: string; sha: string; label: string; repo: RepoDocument | null };
};
type UserDocument = { login: string; id: number; type: string };

export const userShape = (login: string): UserDocument => ({
  login,
  id: [...login].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 1_000_000,
  type: login.endsWith('[bot]') ? 'Bot' : 'User',
});

export function repoShape({ webUrl, apiUrl, principal }: Call, repo: Repo): RepoDocument {
  // The person's role, whatever the token may do.
  const push = roleOf(repo, loginOf(principal)) === 'write';
  return {
    id: repo.id,
    name: repo.name,
    full_name: fullName(repo),
    private: repo.private,
    owner: userShape(repo.owner),
    html_url: `${webUrl}/${fullName(repo)}`,
    url: `${apiUrl}/repos/${fullName(repo)}`,
    clone_url: `${webUrl}/${fullName(repo)}.git`,
    default_branch: repo.defaultBranch,
    archived: repo.archived,
    disabled: false,
    fork: repo.forkOf !== null,
    // What an installation may do is not told here.
    permissions:
      principal.kind === 'installation'
        ? { admin: false, maintain: false, push: false, triage: false, pull: false }
        : { admin: loginOf(principal) === repo.owner, maintain: false, push, triage: push, pull: true },
  };
}

export const commentShape = (
  { webUrl, apiUrl, principal }: Call,
  { repo, number }: Issue,
  { id, author, body, createdAt }: Comment,
): Document<'GET /repos/{owner}/{repo}/issues/comments/{comment_id}'> => ({
  id,
  body,
  user: author === 'ghost' ? null : userShape(author),
  created_at: createdAt,
  updated_at: createdAt,
  url: `${apiUrl}/repos/${fullName(repo)}/issues/comments/${id}`,
  html_url: `${webUrl}/${fullName(repo)}/issues/${number}#issuecomment-${id}`,
  performed_via_github_app:
    principal.kind === 'installation' && author === loginOf(principal)
      ? { id: principal.installation.app.id, slug: principal.installation.app.slug }
      : null,
});

const commonShape = ({ webUrl }: Call, issue: Issue) => ({
  number: issue.number,
  title: issue.title,
  body: issue.body === '' ? null : issue.body,
  user: issue.author === 'ghost' ? null : userShape(issue.author),
  state: issue.state,
  labels: issue.labels.map((name) => ({ name })),
  comments: issue.comments.length,
  created_at: issue.createdAt,
  html_url: `${webUrl}/${fullName(issue.repo)}/${issue.pull ? 'pull' : 'issues'}/${issue.number}`,
});

export function issueShape(
  call: Call,
  issue: Issue,
): Document<'GET /repos/{owner}/{repo}/issues/{issue_number}'> {
  const url = `${call.apiUrl}/repos/${fullName(issue.repo)}`;
  return {
    ...commonShape(call, issue),
    url: `${url}/issues/${issue.number}`,
    repository_url: url,
    ...(issue.pull ? { pull_request: { url: `${url}/pulls/${issue.number}` } } : {}),
  };
}

export function pullShape(call: Call, issue: Issue, whole = true): PullDocument {
  const { repo, pull } = issue;
  if (!pull) throw new Error(`issue ${issue.number} is no pull request`);
  if (call.world.staleAnswers > 0) call.world.staleAnswers -= 1;
  else syncPulls(repo);
  const files = whole && pull.headRepo !== null ? changedFiles(repo, pull.base, pull.headSha) : [];
  return {
    ...commonShape(call, issue),
    url: `${call.apiUrl}/repos/${fullName(repo)}/pulls/${issue.number}`,
    draft: pull.draft,
    merged: pull.merged,
    merged_at: pull.merged ? issue.createdAt : null,
    head: {
      ref: pull.headBranch,
      sha: pull.headSha,
      label: `${pull.headRepo?.owner ?? 'unknown'}:${pull.headBranch}`,
      repo: pull.headRepo && !pull.headRepo.deleted ? repoShape(call, pull.headRepo) : null,
    },
    base: {
      ref: pull.base,
      sha: pull.headSha,
      label: `${repo.owner}:${pull.base}`,
      repo: repoShape(call, repo),
    },
    requested_reviewers: pull.reviewers.filter((name) => !name.includes('/')).map(userShape),
    requested_teams: pull.reviewers
      .filter((name) => name.includes('/'))
      .map((name) => ({ slug: name.split('/')[1] })),
    ...(whole ? { changed_files: files.length } : {}),
  };
}

export const reviewShape = (
  { webUrl }: Call,
  { repo, number }: Issue,
  { id, author, body, state, commitId, createdAt }: Review,
): Document<'GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}'> => ({
  id,
  user: author === 'ghost' ? null : userShape(author),
  body,
  state,
  commit_id: commitId,
  submitted_at: createdAt,
  html_url: `${webUrl}/${fullName(repo)}/pull/${number}#pullrequestreview-${id}`,
});

export const appShape = (
  { webUrl }: Call,
  { id, slug, owner, permissions }: App,
): Document<'GET /apps/{app_slug}'> => ({
  id,
  slug,
  name: slug,
  owner: userShape(owner),
  permissions,
  html_url: `${webUrl}/apps/${slug}`,
});

export const installationShape = (
  { webUrl }: Call,
  { id, app, owner, repos, permissions, suspended }: Installation,
  world: World,
): Document<'GET /repos/{owner}/{repo}/installation'> => ({
  id,
  app_id: app.id,
  app_slug: app.slug,
  account: userShape(owner),
  target_type: 'User',
  repository_selection: repos === 'all' ? 'all' : 'selected',
  permissions: { metadata: 'read', ...permissions },
  suspended_at: suspended ? new Date(world.now()).toISOString() : null,
  html_url: `${webUrl}/settings/installations/${id}`,
});
