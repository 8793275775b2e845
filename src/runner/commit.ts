import { type GitRun, gitFailure } from '../forge/git/git.ts';
import { BgAgentError } from '../task/errors.ts';
import { workTitle } from '../task/work-title.ts';
import { lines, shownPath } from './git-output.ts';
import { workTreeOptions } from './stage.ts';
import type { WorkInput } from './work-input.ts';

/** What a commit says of who made it, and with what. */
export type CommitIdentity = Pick<WorkInput, 'git' | 'payload' | 'now'>;

export interface CommitInput extends CommitIdentity, Pick<WorkInput, 'folders' | 'findSecret' | 'redact'> {
  /** The parent. */
  startSha: string;
  /** The work was not finished. */
  partial: boolean;
  /** What the agent said of its work; a title that it begins with becomes that of the commit. */
  summary: string | null;
}

/** Mode of a file that is not there any more. */
const REMOVED = '000000';
/** Bytes of one file; hosts refuse larger ones. */
const MAX_FILE_BYTES = 100 * 1024 * 1024;
/** Bytes of changed text that are looked through for secrets; more is looked through up to there. */
const MAX_SCANNED_BYTES = 32 * 1024 * 1024;

/**
 * Commits what is staged, as one commit on `startSha`. Null when nothing changed. Throws DISK_QUOTA_EXCEEDED for too much of
 * it, SECRET_IN_CHANGES for what looks like a secret.
 */
export async function commitStaged(input: CommitInput): Promise<string | null> {
  const { git, startSha } = input;
  const options = workTreeOptions(input);
  try {
    const changes = await changesOf(input, options);
    if (changes.length === 0) return null;
    const [tree] = await Promise.all([
      git.text(['write-tree'], options),
      checkSizes(input, options, changes),
      checkSecrets(input, options, changes),
    ]);
    return await commitTree(input, { tree, parent: startSha, message: commitMessage(input), options });
  } catch (error) {
    throw gitFailure(error, 'RUNNER_ERROR', 'the work could not be committed');
  }
}

/** Writes the commit object; nothing points to it yet. */
export const commitTree = (
  identityOf: CommitIdentity,
  { tree, parent, message, options }: { tree: string; parent: string; message: string; options: GitRun },
): Promise<string> =>
  identityOf.git.text(['commit-tree', tree, '-p', parent, '-F', '-'], {
    ...options,
    input: message.endsWith('\n') ? message : `${message}\n`,
    env: identity(identityOf),
  });

interface Change {
  /** `100644`, `100755`, `120000` (a link), `160000` (a submodule), `000000` (removed). */
  mode: string;
  blob: string;
  path: string;
}

async function changesOf({ git, startSha }: CommitInput, options: GitRun): Promise<Change[]> {
  const format = ['--raw', '--no-renames', '--no-abbrev', '--ignore-submodules=none', '-z'];
  const { stdout } = await git.run(['diff-index', '--cached', ...format, startSha, '--'], options);
  const words = lines(stdout, '\0');
  const changes: Change[] = [];
  for (let index = 0; index + 1 < words.length; index += 2) {
    const [, mode = '', , blob = ''] = (words[index] ?? '').split(' ');
    changes.push({ mode, blob, path: words[index + 1] ?? '' });
  }
  return changes;
}

async function checkSizes(
  { git, payload }: CommitInput,
  options: GitRun,
  changes: readonly Change[],
): Promise<void> {
  const { max_files: maxFiles } = payload.limits;
  if (changes.length > maxFiles)
    throw new BgAgentError(
      'DISK_QUOTA_EXCEEDED',
      `${changes.length} files are changed; at most ${maxFiles} are committed`,
    );
  const files = changes.filter(({ mode }) => mode.startsWith('100'));
  if (files.length === 0) return;
  const input = `${files.map(({ blob }) => blob).join('\n')}\n`;
  const { stdout } = await git.run(['cat-file', '--batch-check=%(objectsize)'], { ...options, input });
  const sizes = lines(stdout, '\n').map(Number);
  const tooLarge = files.find((_, index) => (sizes[index] ?? 0) > MAX_FILE_BYTES);
  if (tooLarge)
    throw new BgAgentError(
      'DISK_QUOTA_EXCEEDED',
      `${shownPath(tooLarge.path)} is over ${MAX_FILE_BYTES / 1024 / 1024} MB, more than a commit may hold of one file`,
    );
}

/**
 * Names and added lines must hold neither a well-known kind of secret nor one of the platform's own. Whole hunks are looked
 * at as well as lines: a secret may have several. What attributes call binary is text here.
 */
async function checkSecrets(
  { git, startSha, findSecret }: CommitInput,
  options: GitRun,
  changes: readonly Change[],
): Promise<void> {
  const refuse = (file: string, kind: string): never => {
    throw new BgAgentError(
      'SECRET_IN_CHANGES',
      `${shownPath(file)} would get what looks like a secret (${kind}); nothing is pushed`,
    );
  };
  const names = changes.filter(({ mode }) => mode !== REMOVED).map(({ path }) => path);
  const inNames = findSecret(names.join('\n'));
  if (inNames) refuse('the name of a file', inNames);
  const format = ['-p', '--text', '--no-ext-diff', '--no-textconv', '--unified=0', '--no-renames'];
  const { stdout } = await git.run(['diff-index', '--cached', ...format, startSha, '--'], {
    ...options,
    maxOutputBytes: MAX_SCANNED_BYTES,
    truncate: true,
  });
  let file = '';
  let added: string[] = [];
  const look = (): void => {
    const kind = added.length === 0 ? undefined : findSecret(added.join('\n'));
    if (kind) refuse(file, kind);
    added = [];
  };
  let inHunk = false;
  for (const line of lines(stdout, '\n')) {
    if (inHunk && line.startsWith('+')) added.push(line.slice(1));
    else if (!(inHunk && line.startsWith('-'))) {
      look();
      inHunk = line.startsWith('@@');
      if (line.startsWith('+++ ')) file = line.slice('+++ b/'.length);
    }
  }
  look();
}

function commitMessage({ payload, partial, summary, redact }: CommitInput): string {
  const { commit, task_id, agent } = payload;
  const said = redact(workTitle(summary).title ?? commit.title);
  const title = partial ? `${commit.title} (unfinished)` : said;
  const name = agent.type.replace(/[^a-z0-9-]/gi, '');
  return `${title}\n\nTask-Id: ${task_id}\nCo-authored-by: ${name} agent <${name}@bgagent.invalid>\n`;
}

function identity({ payload: { commit }, now }: CommitIdentity): Record<string, string> {
  const date = `${Math.floor(now() / 1_000)} +0000`;
  return {
    GIT_AUTHOR_NAME: commit.author_name,
    GIT_AUTHOR_EMAIL: commit.author_email,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: commit.author_name,
    GIT_COMMITTER_EMAIL: commit.author_email,
    GIT_COMMITTER_DATE: date,
  };
}
