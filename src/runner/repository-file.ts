import type { GitRun } from '../forge/git/git.ts';
import { GitError } from '../forge/git/git.ts';
import { BgAgentError, messageOf } from '../task/errors.ts';
import type { Payload } from '../task/protocol.ts';
import { REPOSITORY_FILE, type RepositoryFile, repositoryFileSchema } from '../task/repository-file.ts';
import { refreshMirror, transferOptions } from './mirror.ts';
import { mirrorInput, type WorkInput } from './work-input.ts';

const MAX_BYTES = 64 * 1024;

/**
 * What the repository says of itself on the commit that the branch begins at: so nothing that an agent changes counts for its own
 * run. `{}` when there is no such file. Throws REPOSITORY_FILE_INVALID.
 */
export async function readRepositoryFile(input: WorkInput): Promise<RepositoryFile> {
  const text = await readText(input);
  return text === undefined ? {} : parseRepositoryFile(text);
}

/** Throws REPOSITORY_FILE_INVALID, which names the line or the field. */
export async function parseRepositoryFile(text: string): Promise<RepositoryFile> {
  // Most repositories have none, and their runs need not pay for it.
  const { LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken) throw invalid(`line ${lines.linePos(broken.pos[0]).line}: ${broken.message}`);
  let values: unknown;
  try {
    // A few lines of references can stand for gigabytes.
    values = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw invalid(`references (\`*name\`) are not taken: ${messageOf(error)}`);
  }
  const result = repositoryFileSchema.safeParse(values ?? {});
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const field = [...(issue?.path ?? []), ...unknown].join('.').slice(0, 200);
  throw invalid(
    unknown.length > 0
      ? `there is no \`${field}\`; known: setup, verify.{build,lint,test,timeout_s}, agent.repair, egress, limits.{max_turns,max_budget_usd,deadline_s}`
      : `${field || 'the file'}: ${issue?.message}`,
  );
}

const invalid = (message: string): BgAgentError =>
  new BgAgentError('REPOSITORY_FILE_INVALID', `${REPOSITORY_FILE}: ${message}`);

async function readText(input: WorkInput): Promise<string | undefined> {
  const options = { gitDir: input.folders.mirror, signal: input.stop.signal };
  try {
    return await textOf(input, options);
  } catch (error) {
    input.stop.signal.throwIfAborted();
    if (!(error instanceof GitError)) throw error;
    // A mirror that goes on from an earlier attempt's commit may lack the first one, or its contents.
    const mirror = mirrorInput(input);
    await refreshMirror(mirror);
    return textOf(input, { ...options, ...(await transferOptions(mirror)) });
  }
}

async function textOf({ git, payload }: WorkInput, options: GitRun): Promise<string | undefined> {
  const { base_sha, compare } = payload.repo;
  // What is only reviewed may be anybody's: it has no say in how it's reviewed.
  const commit = payload.read_only && compare ? compare.sha : base_sha;
  const entry = await git.text(['ls-tree', commit, '--', REPOSITORY_FILE], options);
  if (entry === '') return undefined;
  const [mode = '', , blob = ''] = entry.split(/\s/);
  if (!mode.startsWith('100')) throw invalid('must be a plain file, not a link or a folder');
  const { stdout, truncated } = await git.run(['cat-file', 'blob', blob], {
    ...options,
    maxOutputBytes: MAX_BYTES,
    truncate: true,
  });
  if (truncated) throw invalid(`is larger than ${MAX_BYTES / 1024} KiB`);
  return stdout.toString('utf8');
}

/** A payload with what the repository says of itself, and what of that was not taken since it would have given rights. */
export interface Narrowed {
  payload: Payload;
  refused: string[];
}

/** The repository's commands replace the platform's; limits and hosts only ever get fewer. */
export function applyRepositoryFile(payload: Payload, file: RepositoryFile, now: number): Narrowed {
  const refused: string[] = [];
  const { limits, commands, verification, sandbox } = payload;
  /** The smaller of both; null = unlimited. */
  const least = <T extends number | null>(field: string, mine: number | undefined, given: T): T | number => {
    if (mine === undefined) return given;
    if (given === null || mine <= given) return mine;
    refused.push(`${field}: ${mine} is more than the ${given} of this task`);
    return given;
  };
  const deadline = Date.parse(limits.deadline_at);
  const own = file.limits?.deadline_s;
  const { build, lint, test } = file.verify ?? {};
  const [egress, beyond] = narrowedHosts(sandbox.egress, file.egress);
  refused.push(...beyond.map((host) => `egress: ${host} is not among the hosts that this task may reach`));
  return {
    refused,
    payload: {
      ...payload,
      commands: {
        setup: file.setup === undefined ? commands.setup : file.setup,
        build: build === undefined ? commands.build : build,
        lint: lint === undefined ? commands.lint : lint,
        test: test === undefined ? commands.test : test,
      },
      verification: {
        timeout_s: least('verify.timeout_s', file.verify?.timeout_s, verification.timeout_s),
        repair: verification.repair && file.agent?.repair !== false,
      },
      limits: {
        ...limits,
        max_turns: least('limits.max_turns', file.limits?.max_turns, limits.max_turns),
        max_budget_usd: least('limits.max_budget_usd', file.limits?.max_budget_usd, limits.max_budget_usd),
        deadline_at:
          own === undefined
            ? limits.deadline_at
            : new Date(Math.min(deadline, now + own * 1_000)).toISOString(),
      },
      sandbox: { ...sandbox, egress },
    },
  };
}

/** The hosts that both lists allow, and those of the second that the first doesn't. `*.host` stands for all below it. */
function narrowedHosts(
  given: readonly string[],
  wanted: readonly string[] | undefined,
): [hosts: string[], beyond: string[]] {
  if (wanted === undefined) return [[...given], []];
  const hosts = new Set<string>();
  const beyond: string[] = [];
  for (const host of wanted.map((name) => name.toLowerCase())) {
    const both = given.flatMap((allowed) =>
      covers(allowed, host) ? [host] : covers(host, allowed) ? [allowed] : [],
    );
    if (both.length === 0) beyond.push(host.slice(0, 100));
    for (const name of both) hosts.add(name);
  }
  return [[...hosts], beyond];
}

/** As the sandbox takes them: `*` is every host, `*.host` all below it, and without `:port` it's every port. */
function covers(pattern: string, host: string): boolean {
  const [wide, widePort] = split(pattern);
  const [narrow, port] = split(host);
  if (widePort !== undefined && widePort !== port) return false;
  return wide === '*' || wide === narrow || (wide.startsWith('*.') && narrow.endsWith(wide.slice(1)));
}

function split(pattern: string): [host: string, port: string | undefined] {
  const [, host = '', port] = /^(.*?)(?::(\d+))?$/.exec(pattern.toLowerCase()) ?? [];
  return [host, port];
}
