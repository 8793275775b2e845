import { git } from '../../fixtures/git-repo.ts';
import { changedFiles, headOf, isEmpty } from './git.ts';
import { notFound, Refusal, type Route, route } from './http.ts';
import { type Document, repoShape } from './shapes.ts';

const READ = [{ contents: 'read' }] as const;

export const repoRoutes: readonly Route[] = [
  route('GET', '/repos/{owner}/{repo}', [{ metadata: 'read' }], (call) => ({
    status: 200,
    body: repoShape(call, call.repo),
  })),
  route(
    'GET',
    '/repos/{owner}/{repo}/collaborators/{username}/permission',
    [{ metadata: 'read' }],
    ({ repo, params }) => {
      const login = params.username ?? '';
      const level = login === repo.owner ? 'admin' : repo.collaborators.get(login);
      return {
        status: 200,
        body: { permission: level ?? (repo.private ? 'none' : 'read'), role_name: level ?? 'none' },
      };
    },
  ),
  route('GET', '/repos/{owner}/{repo}/git/ref/heads/{+branch}', READ, ({ repo, params }) => {
    if (isEmpty(repo)) throw new Refusal(409, 'Git Repository is empty.');
    const branch = params.branch ?? '';
    const sha = headOf(repo, branch);
    if (sha === null) throw notFound();
    return {
      status: 200,
      body: {
        ref: `refs/heads/${branch}`,
        object: { type: 'commit', sha },
      } satisfies Document<'GET /repos/{owner}/{repo}/git/ref/{ref}'>,
    };
  }),
  route('GET', '/repos/{owner}/{repo}/branches/{+branch}', READ, ({ repo, params }) => {
    const branch = params.branch ?? '';
    const sha = headOf(repo, branch);
    if (sha === null) throw new Refusal(404, 'Branch not found');
    return {
      status: 200,
      body: {
        name: branch,
        commit: { sha },
        protected: repo.protectedBranches.has(branch),
      } satisfies Document<'GET /repos/{owner}/{repo}/branches/{branch}'>,
    };
  }),
  route(
    'GET',
    '/repos/{owner}/{repo}/rules/branches/{+branch}',
    [{ metadata: 'read' }],
    ({ repo, params }) => {
      const branch = params.branch ?? '';
      return {
        status: 200,
        body: repo.rules
          .filter(({ prefix }) => branch.startsWith(prefix))
          .map(({ type, id }) => ({ type, ruleset_source_type: 'Repository', ruleset_id: id })),
      };
    },
  ),
  route('GET', '/repos/{owner}/{repo}/rulesets/{id}', [{ metadata: 'read' }], ({ repo, params }) => {
    const rule = repo.rules.find(({ id }) => String(id) === params.id);
    if (!rule) throw notFound();
    return {
      status: 200,
      body: {
        id: rule.id,
        name: 'rules',
        current_user_can_bypass: rule.bypass,
      } satisfies Document<'GET /repos/{owner}/{repo}/rulesets/{ruleset_id}'>,
    };
  }),
  route('GET', '/repos/{owner}/{repo}/compare/{+range}', READ, ({ repo, params }) => {
    const [base = '', head = ''] = (params.range ?? '').split('...');
    const known = [base, head].every((name) => {
      try {
        return git(repo.gitDir, 'rev-parse', '--verify', '--quiet', `${name}^{commit}`) !== '';
      } catch {
        return false;
      }
    });
    if (!known) throw notFound();
    return { status: 200, body: { files: changedFiles(repo, base, head).slice(0, 300) } };
  }),
];
