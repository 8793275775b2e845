import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { git } from '../../fixtures/git-repo.ts';
import type { Issue, Repo, World } from './world.ts';

/** The git side of the fake: bare repositories, and what pull requests are made of. */

const HOOK = join(import.meta.dirname, 'proc-receive.ts');

/** A bare repository as git lays it out, with the hook that refuses changes of workflow files as GitHub does. */
export function makeBare(
  world: World,
  { owner, name, head }: { owner: string; name: string; head: string },
): string {
  const gitDir = join(world.folder, `${owner}-${name}-${world.nextId()}`, 'hello.git');
  for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'refs/pull', 'hooks', 'info'])
    mkdirSync(join(gitDir, folder), { recursive: true });
  writeFileSync(join(gitDir, 'HEAD'), `ref: refs/heads/${head}\n`);
  writeFileSync(join(gitDir, 'config'), '[core]\n\trepositoryformatversion = 0\n\tbare = true\n');
  const hook = join(gitDir, 'hooks/proc-receive');
  writeFileSync(hook, `#!/bin/sh\nexec '${process.execPath}' '${HOOK}'\n`);
  chmodSync(hook, 0o755);
  return gitDir;
}

/** A commit with these files on top of `from`, made by one git. Returns it. */
export function addCommit(
  { gitDir }: Pick<Repo, 'gitDir'>,
  { branch, from, files }: { branch: string; from: string | null; files: Record<string, string> },
): string {
  const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const script = [
    `commit refs/heads/${branch}\n`,
    `committer octo <octo@example.com> 1767225600 +0000\n`,
    data(`Change ${branch}`),
    from === null ? '' : `from ${from}\n`,
    ...Object.entries(files).map(([path, text]) => `M 100644 inline ${path}\n${data(text)}`),
    '\ndone\n',
  ].join('');
  execFileSync('git', ['fast-import', '--quiet', '--force', '--done'], {
    cwd: gitDir,
    input: script,
    env: { PATH: process.env.PATH ?? '', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  return headOf({ gitDir }, branch) ?? '';
}

/** The commit of a branch, or null. Read from its file: these repositories are asked at each request. */
export function headOf({ gitDir }: Pick<Repo, 'gitDir'>, branch: string): string | null {
  const path = join(gitDir, 'refs/heads', branch);
  if (!existsSync(path) || !statSync(path).isFile()) return null;
  return readFileSync(path, 'utf8').trim();
}

export const isEmpty = ({ gitDir }: Repo): boolean =>
  !readdirSync(join(gitDir, 'refs/heads'), { recursive: true, withFileTypes: true }).some((each) =>
    each.isFile(),
  );

/** Pull requests follow their branches; `refs/pull/<n>/head` is there for everyone to fetch. */
export function syncPulls(repo: Repo): void {
  for (const { number, state, pull } of repo.issues.values()) {
    if (pull?.headRepo == null || state === 'closed') continue;
    const head = headOf(pull.headRepo, pull.headBranch);
    if (head === null || head === pull.headSha) continue;
    pull.headSha = head;
    publishHead(repo, number, pull.headRepo, head);
  }
}

export function publishHead(repo: Repo, number: number, from: Repo, sha: string): void {
  if (from !== repo) git(repo.gitDir, 'fetch', '--quiet', from.gitDir, `+${sha}:refs/pull/${number}/head`);
  else {
    mkdirSync(join(repo.gitDir, 'refs/pull', String(number)), { recursive: true });
    writeFileSync(join(repo.gitDir, 'refs/pull', String(number), 'head'), `${sha}\n`);
  }
}

export interface ChangedFile {
  filename: string;
  status: string;
  additions: number;
  deletions: number;
  patch: string | undefined;
}

const diffs = new Map<string, ChangedFile[]>();

/** What differs from where the two parted, as GitHub shows pull requests. */
export function changedFiles(repo: Repo, base: string, head: string): ChangedFile[] {
  const key = `${repo.gitDir} ${headOf(repo, base) ?? base} ${head}`;
  const known = diffs.get(key) ?? diffBetween(repo, `${base}...${head}`);
  diffs.set(key, known);
  return known;
}

function diffBetween({ gitDir }: Repo, range: string): ChangedFile[] {
  return git(gitDir, 'diff', '--no-color', '--no-ext-diff', '-M', '--patch', range)
    .split(/^(?=diff --git )/m)
    .filter((part) => part.startsWith('diff --git'))
    .map((part) => {
      const at = part.indexOf('\n@@ ');
      const patch = at === -1 ? undefined : part.slice(at + 1).trimEnd();
      const count = (sign: string): number =>
        patch?.split('\n').filter((line) => line.startsWith(sign)).length ?? 0;
      return {
        filename: /^\+\+\+ b\/(.*)$/m.exec(part)?.[1] ?? /^diff --git a\/.* b\/(.*)$/m.exec(part)?.[1] ?? '',
        status: statusOf(part),
        additions: count('+'),
        deletions: count('-'),
        patch,
      };
    });
}

const statusOf = (part: string): string =>
  /^new file/m.test(part)
    ? 'added'
    : /^deleted file/m.test(part)
      ? 'removed'
      : /^rename to/m.test(part)
        ? 'renamed'
        : 'modified';

/** Lines of the new side that a review may comment on: those of the hunks. */
export function commentableLines(repo: Repo, { pull }: Issue, commit: string): Map<string, Set<number>> {
  const lines = new Map<string, Set<number>>();
  if (!pull) return lines;
  for (const { filename, patch } of changedFiles(repo, pull.base, commit)) {
    const found = new Set<number>();
    let line = 0;
    for (const text of patch?.split('\n') ?? []) {
      const start = /^@@ -\d+(?:,\d+)? \+(\d+)/.exec(text)?.[1];
      if (start !== undefined) line = Number(start);
      else if (text.startsWith('+') || text.startsWith(' ')) found.add(line++);
    }
    lines.set(filename, found);
  }
  return lines;
}
