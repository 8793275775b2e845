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

/** The documents that GitHub answers with, as far as anyone here reads them. */

export const userShape = (login: string): Record<string, unknown> => ({
  login,
  id: [...login].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 1_000_000,
  type: login.endsWith('[bot]') ? 'Bot' : 'User',
});

export function repoShape({ webUrl, apiUrl, principal }: Call, repo: Repo): Record<string, unknown> {
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
): Record<string, unknown> => ({
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

export function issueShape({ webUrl, apiUrl }: Call, issue: Issue): Record<string, unknown> {
  const { repo, number, pull } = issue;
  const kind = pull ? 'pull' : 'issues';
  return {
    number,
    title: issue.title,
    body: issue.body === '' ? null : issue.body,
    user: issue.author === 'ghost' ? null : userShape(issue.author),
    state: issue.state,
    labels: issue.labels.map((name) => ({ name })),
    comments: issue.comments.length,
    created_at: issue.createdAt,
    url: `${apiUrl}/repos/${fullName(repo)}/issues/${number}`,
    repository_url: `${apiUrl}/repos/${fullName(repo)}`,
    html_url: `${webUrl}/${fullName(repo)}/${kind}/${number}`,
    ...(pull ? { pull_request: { url: `${apiUrl}/repos/${fullName(repo)}/pulls/${number}` } } : {}),
  };
}

export function pullShape(call: Call, issue: Issue, whole = true): Record<string, unknown> {
  const { repo, pull } = issue;
  if (!pull) throw new Error(`issue ${issue.number} is no pull request`);
  if (call.world.staleAnswers > 0) call.world.staleAnswers -= 1;
  else syncPulls(repo);
  const files = whole && pull.headRepo !== null ? changedFiles(repo, pull.base, pull.headSha) : [];
  return {
    ...issueShape(call, issue),
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
): Record<string, unknown> => ({
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
): Record<string, unknown> => ({
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
): Record<string, unknown> => ({
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
