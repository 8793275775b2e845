import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { checkBranchName } from '../../task/check-branch.ts';
import { BgAgentError } from '../../task/errors.ts';
import type { Forge } from '../forge.ts';
import { createGit, type GitCredentials, type GitRun, gitFailure } from './git.ts';
import { parseRemote, type Remote } from './remote.ts';

export interface GitForgeOptions {
  /** PATH, and for ssh remotes HOME and SSH_AUTH_SOCK, as the platform has them. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** The token for an HTTP remote, when there is one. Default: none. */
  credentialsFor?(repo: string): Promise<GitCredentials | null>;
  /** Milliseconds for one question to a remote. Default 30,000. */
  timeoutMs?: number;
}

/** 2.31, which reads GIT_CONFIG_COUNT. */
const OLDEST_GIT = 2_031;

/** Any git remote: branches are pushed, there are no pull requests. */
export function createGitForge({
  environment,
  credentialsFor = async () => null,
  timeoutMs = 30_000,
}: GitForgeOptions): Forge {
  const git = createGit({ environment: environment ?? {} });

  let checked: Promise<void> | undefined;
  /** Older ones know nothing of settings in the environment, which keep everything safe. */
  const checkVersion = (): Promise<void> => {
    checked ??= git.text(['version']).then(
      (text) => {
        const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(text) ?? [];
        if (Number(major) * 1_000 + Number(minor) < OLDEST_GIT)
          throw new BgAgentError('REPO_UNREACHABLE', `git 2.31 or newer is needed; this is ${text}`);
      },
      (error: unknown) => {
        throw gitFailure(error, 'REPO_UNREACHABLE', 'git does not run here');
      },
    );
    return checked;
  };

  const optionsFor = async (remote: Remote): Promise<GitRun> => ({
    timeoutMs,
    allowFile: remote.kind === 'local',
    credentials: isHttp(remote) ? await credentialsFor(remote.repo) : null,
  });

  async function ask(remote: Remote, pattern: string): Promise<Refs> {
    try {
      const args = ['ls-remote', '--symref', '--end-of-options', remote.repo, pattern];
      return parseRefs(await git.text(args, await optionsFor(remote)));
    } catch (error) {
      throw gitFailure(error, 'REPO_UNREACHABLE', `${remote.repo} can not be read`);
    }
  }

  /** What a server over ssh allows shows at the push only. */
  async function checkPushRight(remote: Remote): Promise<void> {
    if (remote.kind === 'local') return checkWritable(remote.repo);
    if (!isHttp(remote)) return;
    try {
      // The helper of git's own push, asked no more than what it would push over.
      await git.run([`remote-${remote.transport}`, 'origin', remote.repo], {
        ...(await optionsFor(remote)),
        input: 'list for-push\n\n',
      });
    } catch (error) {
      throw gitFailure(error, 'PUSH_REJECTED', `${remote.repo} can not be pushed to`);
    }
  }

  async function startOf(remote: Remote): Promise<{ baseBranch: string; baseSha: string }> {
    const { defaultBranch, head } = await ask(remote, 'HEAD');
    if (defaultBranch !== undefined && head !== undefined)
      return { baseBranch: checkBranchName(defaultBranch), baseSha: head };
    const { heads } = await ask(remote, 'refs/heads/*');
    if (heads.size === 0) throw new BgAgentError('REPO_EMPTY', `${remote.repo} has no branch`);
    // A detached HEAD: a branch that is just there.
    const [baseBranch] = [...heads].find(([, sha]) => sha === head) ?? [];
    if (baseBranch !== undefined && head !== undefined)
      return { baseBranch: checkBranchName(baseBranch), baseSha: head };
    const names = [...heads.keys()].slice(0, 5).join(', ');
    throw new BgAgentError(
      'BRANCH_INVALID',
      `the HEAD of ${remote.repo} names no branch that exists; it has ${names}`,
    );
  }

  return {
    type: 'git',

    collaboration: null,

    async preflight(repo, { push: needsPush = true, prNumber = null } = {}) {
      const remote = gitRemote(repo);
      if (prNumber !== null)
        throw new BgAgentError(
          'PR_NOT_FOUND_OR_CLOSED',
          `${repo} is served as a plain git remote, which has no pull requests`,
        );
      await checkVersion();
      const [start, push] = await Promise.allSettled([
        startOf(remote),
        needsPush ? checkPushRight(remote) : undefined,
      ]);
      // Not being there is the better reason of the two.
      if (start.status === 'rejected') throw start.reason;
      if (push.status === 'rejected') throw push.reason;
      return { url: remote.repo, ...start.value, pullRequest: null, warnings: [] };
    },

    async branchHead(repo, branch) {
      const name = `refs/heads/${checkBranchName(branch)}`;
      const { heads } = await ask(gitRemote(repo), name);
      return heads.get(branch) ?? null;
    },

    async credentials(repo) {
      const remote = gitRemote(repo);
      const found = isHttp(remote) ? await credentialsFor(remote.repo) : null;
      return found ? { ...found, expiresAt: null } : null;
    },

    compareUrl(repo, base, branch) {
      return compareUrl(parseRemote(repo), base, branch);
    },
  };
}

function gitRemote(repo: string): Remote {
  const remote = parseRemote(repo);
  if (remote.kind === 'named')
    throw new BgAgentError(
      'REPO_UNREACHABLE',
      `${repo} names no git remote: give its URL or path, or set up the forge that serves it`,
    );
  return remote;
}

const isHttp = ({ transport }: Remote): boolean => transport === 'https' || transport === 'http';

interface Refs {
  /** What HEAD points to, when the remote says so and the branch exists. */
  defaultBranch: string | undefined;
  head: string | undefined;
  heads: Map<string, string>;
}

function parseRefs(text: string): Refs {
  const refs: Refs = { defaultBranch: undefined, head: undefined, heads: new Map() };
  for (const line of text.split('\n')) {
    const [value = '', name = ''] = line.split('\t');
    if (name === 'HEAD' && value.startsWith('ref: refs/heads/'))
      refs.defaultBranch = value.slice('ref: refs/heads/'.length);
    else if (name === 'HEAD') refs.head = value;
    else if (name.startsWith('refs/heads/')) refs.heads.set(name.slice('refs/heads/'.length), value);
  }
  return refs;
}

/** A push into a local repository writes below `objects`. */
async function checkWritable(repo: string): Promise<void> {
  const candidates = [join(repo, 'objects'), join(repo, '.git', 'objects')];
  const errors = await Promise.all(
    candidates.map((folder) => access(folder, constants.W_OK).then(() => null, codeOfSystemError)),
  );
  // Neither is there: no repository, or a linked one; git itself says so.
  if (errors.includes(null) || errors.every((code) => code === 'ENOENT' || code === 'ENOTDIR')) return;
  throw new BgAgentError('PUSH_REJECTED', `${repo} can not be written by the user that the platform runs as`);
}

const codeOfSystemError = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';

function compareUrl({ transport, repo }: Remote, base: string, branch: string): string | null {
  const [host, path] = webAddress(transport, repo);
  if (host === undefined || path === undefined) return null;
  const range = `${encodeRef(base)}...${encodeRef(branch)}`;
  if (host === 'github.com') return `https://${host}/${path}/compare/${range}`;
  if (host === 'gitlab.com') return `https://${host}/${path}/-/compare/${range}`;
  if (host === 'bitbucket.org')
    return `https://${host}/${path}/branches/compare/${encodeRef(branch)}..${encodeRef(base)}`;
  if (host === 'codeberg.org') return `https://${host}/${path}/compare/${range}`;
  return null;
}

function webAddress(transport: Remote['transport'], repo: string): [host?: string, path?: string] {
  const match =
    transport === 'https' || repo.startsWith('ssh://')
      ? /^[a-z]+:\/\/(?:[^@/]+@)?([^/:]+)(?::\d+)?\/(.+)$/.exec(repo)
      : transport === 'ssh'
        ? /^(?:[^@]+@)?([^:]+):\/*(.+)$/.exec(repo)
        : null;
  return match ? [match[1], match[2]?.replace(/\.git$/, '')] : [];
}

const encodeRef = (ref: string): string => ref.split('/').map(encodeURIComponent).join('/');
