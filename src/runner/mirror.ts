import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Git, type GitCredentials, GitError, type GitRun, gitFailure } from '../forge/git/git.ts';
import { parseRemote } from '../forge/git/remote.ts';
import { BgAgentError } from '../task/errors.ts';
import type { Payload } from '../task/protocol.ts';
import { withLock } from './lock.ts';

/**
 * The bare mirror of a repository on this machine. It only grows, and only under its lock; runs read from it without one.
 * Whoever has a commit in it has all that the commit needs: packs are put in place whole (`fetch.unpackLimit=1`).
 */

export interface MirrorInput {
  git: Git;
  mirror: string;
  repo: Payload['repo'];
  timeoutMs: number;
  signal: AbortSignal;
  /** Asked for once, and only when something must be fetched. */
  credentials(): Promise<GitCredentials | null>;
  note(text: string): void;
}

const CONFIG = '[core]\n\trepositoryformatversion = 0\n\tbare = true\n[gc]\n\tauto = 0\n';

/** In the mirror and in each run: nothing of a repository's own attributes may start a program or change bytes. */
export const INFO_ATTRIBUTES = '* -filter -ident -working-tree-encoding\n';

/** Makes sure that the mirror has the commits that the task needs. Throws CLONE_FAILED. */
export async function refreshMirror(input: MirrorInput): Promise<void> {
  const { git, mirror, repo, signal, note } = input;
  const wanted = [
    ...new Set([repo.base_sha, repo.resume_sha, repo.compare?.sha].filter((sha) => sha != null)),
  ];
  await layOutMirror(input);
  await withLock(`${mirror}.lock`, signal, async () => {
    // Another run may have fetched them while this one waited.
    if (await hasCommits(git, mirror, wanted)) return;
    await fetchInto(input);
    note(`fetched ${repo.url}\n`);
  });
}

/** An empty mirror where there is none: a sandbox can open only folders that exist when it is made. */
export async function layOutMirror({
  mirror,
  signal,
}: Pick<MirrorInput, 'mirror' | 'signal'>): Promise<void> {
  await mkdir(join(mirror, '..'), { recursive: true, mode: 0o700 });
  // Its time of last use, by which others see that it must stay.
  if (await exists(mirror)) return touchMirror(mirror);
  await withLock(`${mirror}.lock`, signal, async () => {
    if (!(await exists(mirror))) await createMirror(mirror);
  });
}

async function createMirror(mirror: string): Promise<void> {
  const fresh = `${mirror}.new`;
  await rm(fresh, { recursive: true, force: true });
  for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'info'])
    await mkdir(join(fresh, folder), { recursive: true, mode: 0o700 });
  await writeFile(join(fresh, 'HEAD'), 'ref: refs/heads/none\n');
  await writeFile(join(fresh, 'config'), CONFIG);
  await writeFile(join(fresh, 'info/attributes'), INFO_ATTRIBUTES);
  await rename(fresh, mirror);
}

async function fetchInto(input: MirrorInput): Promise<void> {
  const { git, mirror, repo } = input;
  const options = { ...(await transferOptions(input)), gitDir: mirror };
  // A first fetch of a partial mirror leaves file contents for later; after that they're few, and one answer is quicker than two.
  const isFirst = (await readdir(join(mirror, 'refs/heads'))).length === 0;
  const quiet = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance'];
  const args = ['fetch', ...quiet, ...(isFirst ? [] : ['--no-filter']), 'origin'];
  const { base_sha, resume_sha, head_ref, compare } = repo;
  const branch = `refs/heads/${repo.base_branch}`;
  const kept = (sha: string): string => `refs/bgagent/${sha}`;
  // A branch of somebody's may have a name that goes together with none of the earlier ones (`fix`, `fix/typo`).
  const into = head_ref === null ? branch : kept(base_sha);
  const byCommit = [base_sha, resume_sha, compare?.sha]
    .filter((sha) => sha != null)
    .map((sha) => `+${sha}:${sha === base_sha ? into : kept(sha)}`);
  const byName = [
    `+${head_ref ?? branch}:${into}`,
    ...(resume_sha === null ? [] : [`+${resume_sha}:${kept(resume_sha)}`]),
    ...(compare === null ? [] : [`+refs/heads/${compare.branch}:${kept(compare.sha)}`]),
  ];
  try {
    // By name of the commit: it needs no list of the remote's branches, and the branch may have moved on meanwhile.
    await git.run([...args, ...new Set(byCommit)], options).catch((error: unknown) => {
      if (!(error instanceof GitError) || error.kind !== 'exit') throw error;
      // Old servers give out branches only.
      return git.run([...args, ...byName], options);
    });
  } catch (error) {
    if (error instanceof GitError && error.kind === 'aborted') throw input.signal.reason;
    if (error instanceof GitError && error.kind === 'timeout')
      throw new BgAgentError(
        'CLONE_FAILED',
        `the clone took longer than ${input.timeoutMs / 1_000} s (clone_timeout_s)`,
        { cause: error },
      );
    throw gitFailure(error, 'CLONE_FAILED', `${repo.url} could not be fetched`);
  }
}

export type Transfer = Pick<MirrorInput, 'repo' | 'timeoutMs' | 'signal' | 'credentials'>;

/**
 * What every call that may talk to the remote needs. Over HTTP the mirror is partial where the server can: file contents
 * come when they are needed. That the remote can be asked for them is told to such calls only, so that no other waits for it.
 */
export async function transferOptions({ repo, timeoutMs, signal, credentials }: Transfer): Promise<GitRun> {
  const { kind, transport } = parseRemote(repo.url);
  const overHttp = transport === 'http' || transport === 'https';
  return {
    timeoutMs,
    signal,
    allowFile: kind === 'local',
    credentials: overHttp ? await credentials() : null,
    config: [
      ['fetch.unpackLimit', '1'],
      ['remote.origin.url', repo.url],
      ...(overHttp
        ? ([
            ['remote.origin.promisor', 'true'],
            ['remote.origin.partialCloneFilter', 'blob:none'],
          ] as const)
        : []),
    ],
  };
}

async function hasCommits(git: Git, mirror: string, shas: readonly string[]): Promise<boolean> {
  const input = `${shas.map((sha) => `${sha}^{commit}`).join('\n')}\n`;
  const { stdout } = await git.run(['cat-file', '--batch-check=%(objecttype)'], { gitDir: mirror, input });
  return stdout
    .toString()
    .trim()
    .split('\n')
    .every((line) => line === 'commit');
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Sets the time of last use, by which old mirrors are removed first. */
async function touchMirror(mirror: string): Promise<void> {
  const now = new Date();
  await utimes(mirror, now, now);
}
