import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { git } from '../../fixtures/git-repo.ts';
import { createRateLimits, type Fault, type RateLimits } from './faults.ts';
import { addCommit, headOf, makeBare, publishHead } from './git.ts';
import { newIssue, newPull, nextNumber } from './routes-pulls.ts';
import { type SeenRequest, type ServerState, startServer } from './server.ts';
import {
  type App,
  appKeys,
  createWorld,
  fullName,
  type Installation,
  type Issue,
  isoNow,
  type Level,
  type Permissions,
  type Pull,
  type Repo,
  repoNamed,
  type Token,
  tokenValue,
  type World,
} from './world.ts';

/** What a GitHub App of the platform is given. */
export const APP_PERMISSIONS: Permissions = { contents: 'write', pull_requests: 'write', issues: 'write' };

const README = { 'README.md': '# Hello\n' };

export interface RepoOptions {
  files?: Record<string, string>;
  /** Without a single commit. */
  empty?: boolean;
  private?: boolean;
  archived?: boolean;
  drafts?: boolean;
  defaultBranch?: string;
  collaborators?: Readonly<Record<string, Level>>;
  teams?: readonly string[];
}

/** A GitHub on loopback: REST and GraphQL below `/api/v3` and `/api/graphql` as on a company's server, repositories by git over HTTP. */
export interface GitHubFake {
  /** `<url>/octo/hello.git` is a repository. */
  url: string;
  /** For the setting `github_api_url`. */
  apiUrl: string;
  world: World;
  limits: RateLimits;
  /** Every request so far. */
  requests: readonly SeenRequest[];
  addRepo(name: string, options?: RepoOptions): Repo;
  repo(name: string): Repo;
  fork(repo: Repo, owner: string): Repo;
  /** The old name leads to the new one. */
  rename(repo: Repo, name: string): void;
  addApp(options?: { permissions?: Permissions; slug?: string }): App;
  install(
    app: App,
    options?: { owner?: string; repos?: 'all' | readonly Repo[]; permissions?: Permissions },
  ): Installation;
  /** A classic token: its scopes default to `repo`. */
  addToken(options?: { login?: string; scopes?: readonly string[]; expires?: string }): string;
  addFineGrainedToken(options: {
    login?: string;
    repos?: readonly string[];
    permissions: Permissions;
  }): string;
  revoke(token: string): void;
  revokeAll(): void;
  addIssue(repo: Repo, given?: { title?: string; body?: string; author?: string; labels?: string[] }): Issue;
  comment(issue: Issue, author: string, body: string): void;
  /** Makes the branch with the files on top of the default branch, and a pull request of it. */
  addPull(
    repo: Repo,
    given: {
      branch: string;
      files: Record<string, string>;
      from?: Repo;
      title?: string;
      body?: string;
      author?: string;
    },
  ): Issue & { pull: Pull };
  /** A commit on a branch, made beside the platform. Returns it. */
  commit(repo: Repo, branch: string, files: Record<string, string>): string;
  head(repo: Repo, branch: string): string | null;
  fail(fault: Fault): void;
  /** How many of these have not happened yet. */
  pendingFaults(): number;
  /** What was done that a careful client doesn't do; forgets it. */
  takeViolations(): string[];
  /** Throws when there were violations that nobody took. */
  close(): Promise<void>;
}

export async function startGitHub({ now = Date.now }: { now?: () => number } = {}): Promise<GitHubFake> {
  const folder = await mkdtemp(join(tmpdir(), 'bgagent-github-'));
  const world = createWorld(folder, now);
  const state: ServerState = { world, faults: [], limits: createRateLimits(world), requests: [] };
  const server = await startServer(state);

  const addRepo: GitHubFake['addRepo'] = (given, options = {}) => {
    const [owner = '', name = ''] = given.split('/');
    const defaultBranch = options.defaultBranch ?? 'main';
    const gitDir = makeBare(world, { owner, name, head: defaultBranch });
    if (!options.empty)
      addCommit({ gitDir }, { branch: defaultBranch, from: null, files: options.files ?? README });
    const repo: Repo = {
      id: world.nextId(),
      owner,
      name,
      gitDir,
      defaultBranch,
      private: options.private ?? true,
      archived: options.archived ?? false,
      drafts: options.drafts ?? true,
      collaborators: new Map(Object.entries(options.collaborators ?? {})),
      teams: new Set(options.teams ?? []),
      issues: new Map(),
      protectedBranches: new Set(),
      rules: [],
      forkOf: null,
      deleted: false,
    };
    world.users.add(owner);
    world.repos.push(repo);
    return repo;
  };

  const addTokenOf = (token: Token): string => {
    world.tokens.set(token.value, token);
    return token.value;
  };

  const commit: GitHubFake['commit'] = (repo, branch, files) =>
    addCommit(repo, { branch, from: headOf(repo, branch) ?? headOf(repo, repo.defaultBranch), files });

  return {
    url: server.url,
    apiUrl: `${server.url}/api/v3`,
    world,
    limits: state.limits,
    requests: state.requests,
    addRepo,
    repo(name) {
      const repo = repoNamed(world, name);
      if (!repo) throw new Error(`no repository ${name}`);
      return repo;
    },
    fork(repo, owner) {
      const fork = addRepo(`${owner}/${repo.name}`, {
        empty: true,
        private: repo.private,
        defaultBranch: repo.defaultBranch,
      });
      git(fork.gitDir, 'fetch', '--quiet', repo.gitDir, '+refs/heads/*:refs/heads/*');
      fork.forkOf = repo;
      return fork;
    },
    rename(repo, name) {
      world.renames.set(fullName(repo).toLowerCase(), repo);
      const [owner = repo.owner, last = ''] = name.split('/');
      repo.owner = owner;
      repo.name = last;
      world.renames.delete(name.toLowerCase());
    },
    addApp({ permissions = APP_PERMISSIONS, slug = 'bgagent' } = {}) {
      const app = {
        id: world.nextId(),
        slug,
        owner: 'octo',
        permissions,
        ...appKeys(),
        webhookSecret: 'w'.repeat(40),
      };
      world.apps.push(app);
      return app;
    },
    install(app, { owner = 'octo', repos = 'all', permissions = app.permissions } = {}) {
      const installation: Installation = {
        id: world.nextId(),
        app,
        owner,
        repos: repos === 'all' ? 'all' : new Set(repos.map(({ id }) => id)),
        permissions,
        suspended: false,
      };
      world.installations.push(installation);
      return installation;
    },
    addToken: ({ login = 'octo', scopes = ['repo'], expires } = {}) =>
      addTokenOf({
        kind: 'classic',
        value: tokenValue('ghp_'),
        login,
        scopes,
        expires: expires ?? null,
        revoked: false,
      }),
    addFineGrainedToken: ({ login = 'octo', repos, permissions }) =>
      addTokenOf({
        kind: 'fine-grained',
        value: tokenValue('github_pat_'),
        login,
        repos: repos ?? 'all',
        permissions,
        revoked: false,
      }),
    revoke(token) {
      const found = world.tokens.get(token);
      if (found) found.revoked = true;
    },
    revokeAll() {
      for (const token of world.tokens.values()) token.revoked = true;
    },
    addIssue(
      repo,
      { title = 'The greeting is wrong', body = 'It says hallo.', author = 'mona', labels = [] } = {},
    ) {
      const number = nextNumber(repo);
      const issue = { ...newIssue(repo, { number, title, body, author, createdAt: isoNow(world) }), labels };
      repo.issues.set(number, issue);
      return issue;
    },
    comment(issue, author, body) {
      issue.comments.push({ id: world.nextId(), author, body, createdAt: isoNow(world) });
    },
    addPull(repo, { branch, files, from = repo, title = 'Mend the greeting', body = '', author = 'mona' }) {
      const headSha = commit(from, branch, files);
      const number = nextNumber(repo);
      publishHead(repo, number, from, headSha);
      const pull = newPull({
        headRepo: from,
        headBranch: branch,
        base: repo.defaultBranch,
        headSha,
        draft: false,
      });
      const issue = { ...newIssue(repo, { number, title, body, author, createdAt: isoNow(world) }), pull };
      repo.issues.set(number, issue);
      return issue;
    },
    commit,
    head: headOf,
    fail: (fault) => void state.faults.push(fault),
    pendingFaults: () => state.faults.length,
    takeViolations: () => world.violations.splice(0),
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
      if (world.violations.length > 0)
        throw new Error(`GitHub was used wrongly:\n${world.violations.join('\n')}`);
    },
  };
}
