import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bareRepo, git } from '../../fixtures/git-repo.ts';
import type { Issue, Repo, World } from './world.ts';

/** The git side of the fake: bare repositories, and what pull requests are made of. */

const HOOK = join(import.meta.dirname, 'proc-receive.ts');

export function makeBare(
  world: World,
  {
    owner,
    name,
    files,
    empty,
  }: { owner: string; name: string; files?: Record<string, string>; empty: boolean },
): string {
  const folder = join(world.folder, `${owner}-${name}-${world.nextId()}`);
  mkdirSync(folder, { recursive: true });
  const gitDir = empty ? join(folder, 'hello.git') : bareRepo(folder, files);
  if (empty) git(folder, 'init', '--quiet', '--bare', gitDir);
  addHook(gitDir);
  return gitDir;
}

/** Refuses changes of workflow files as GitHub does: with a reason for the single branch. */
export function addHook(gitDir: string): void {
  const hook = join(gitDir, 'hooks', 'proc-receive');
  mkdirSync(join(gitDir, 'hooks'), { recursive: true });
  writeFileSync(hook, `#!/bin/sh\nexec '${process.execPath}' '${HOOK}'\n`);
  chmodSync(hook, 0o755);
}

/** The commit of a branch, or null. */
export function headOf({ gitDir }: Repo, branch: string): string | null {
  const ref = `refs/heads/${branch}`;
  const lines = git(gitDir, 'for-each-ref', '--format=%(refname) %(objectname)', ref).split('\n');
  return lines.find((line) => line.startsWith(`${ref} `))?.slice(ref.length + 1) ?? null;
}

export const isEmpty = ({ gitDir }: Repo): boolean => git(gitDir, 'for-each-ref', 'refs/heads') === '';

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
  const ref = `refs/pull/${number}/head`;
  if (from === repo) git(repo.gitDir, 'update-ref', ref, sha);
  else git(repo.gitDir, 'fetch', '--quiet', from.gitDir, `+${sha}:${ref}`);
}

export interface ChangedFile {
  filename: string;
  status: string;
  additions: number;
  deletions: number;
  patch: string | undefined;
}

/** What differs from where the two parted, as GitHub shows pull requests. */
export function changedFiles({ gitDir }: Repo, base: string, head: string): ChangedFile[] {
  const range = `${base}...${head}`;
  const text = git(gitDir, 'diff', '--no-color', '--no-ext-diff', '-M', '--patch', range);
  const numbers = git(gitDir, 'diff', '--numstat', '--no-renames', range);
  const counts = new Map(
    numbers
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [additions = '0', deletions = '0', path = ''] = line.split('\t');
        return [path, { additions: Number(additions) || 0, deletions: Number(deletions) || 0 }];
      }),
  );
  return text
    .split(/^(?=diff --git )/m)
    .filter((part) => part.startsWith('diff --git'))
    .map((part) => {
      const filename =
        /^\+\+\+ b\/(.*)$/m.exec(part)?.[1] ?? /^diff --git a\/.* b\/(.*)$/m.exec(part)?.[1] ?? '';
      const status = /^new file/m.test(part)
        ? 'added'
        : /^deleted file/m.test(part)
          ? 'removed'
          : /^rename to/m.test(part)
            ? 'renamed'
            : 'modified';
      const at = part.indexOf('\n@@ ');
      return {
        filename,
        status,
        ...(counts.get(filename) ?? { additions: 0, deletions: 0 }),
        patch: at === -1 ? undefined : part.slice(at + 1).trimEnd(),
      };
    });
}

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
