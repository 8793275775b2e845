import { spawn } from 'node:child_process';
import { BgAgentError } from '../../task/errors.ts';

/** The only place that runs git. Nothing of the machine's, the user's or the repository's settings can make it run a program. */

export interface GitCredentials {
  username: string;
  password: string;
}

export interface GitRun {
  cwd?: string;
  gitDir?: string;
  workTree?: string;
  /** Text or bytes for standard input. */
  input?: string | Uint8Array;
  /** Variables on top of the fixed ones; for index and object folders of a single call. */
  env?: Readonly<Record<string, string>>;
  /** Settings on top of the fixed ones, passed in the environment. */
  config?: readonly (readonly [string, string])[];
  /** For HTTP remotes. They travel in the environment of this git only: not in arguments, URLs or files. */
  credentials?: GitCredentials | null;
  /** Allows the `file` transport: for repositories given by a local path only. */
  allowFile?: boolean;
  /** Milliseconds. Default 60,000. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Bytes of standard output that are kept; more is an error. Default 16 MiB. */
  maxOutputBytes?: number;
  /** Cuts standard output at that size instead of failing. */
  truncate?: boolean;
  /** Exit codes that are no failure. Default [0]. */
  okCodes?: readonly number[];
  /** Each piece of standard error as it comes, for showing progress. */
  onStderr?: (text: string) => void;
}

export interface GitResult {
  code: number;
  stdout: Buffer;
  stderr: string;
  /** Standard output was cut at `maxOutputBytes`. */
  truncated: boolean;
}

/** How git failed, before the caller has said what it means. */
export class GitError extends Error {
  readonly code: number | null;
  readonly stderr: string;
  readonly kind: 'exit' | 'timeout' | 'aborted' | 'output' | 'missing';

  constructor(
    kind: GitError['kind'],
    message: string,
    details: { code?: number | null; stderr?: string; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'GitError';
    this.kind = kind;
    this.code = details.code ?? null;
    this.stderr = details.stderr ?? '';
  }

  /** git's own reason: the first line that says error or fatal, without that word. */
  get reason(): string {
    const lines = this.stderr.split(/[\r\n]+/).filter((line) => line.trim() !== '');
    const line = lines.find((text) => /^(?:fatal|error|remote: fatal|ERROR)\b/.test(text)) ?? lines.at(-1);
    const reason = (line ?? this.message).replace(/^(?:fatal|error): /, '').slice(0, 500);
    // What git says when it was refused and may ask nobody.
    const asked = /^could not read (?:Username|Password) for '([^']*)'/.exec(reason)?.[1];
    return asked === undefined ? reason : `${asked} wants credentials, or refused those that it was given`;
  }
}

export interface Git {
  run(args: readonly string[], options?: GitRun): Promise<GitResult>;
  /** Standard output as text, without the line end. */
  text(args: readonly string[], options?: GitRun): Promise<string>;
}

export interface GitOptions {
  /** PATH, and for ssh remotes HOME and SSH_AUTH_SOCK; nothing else of it is used. */
  environment?: Readonly<Record<string, string | undefined>>;
}

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_OUTPUT_BYTES = 16 * 1024 * 1024;
const STDERR_BYTES = 64 * 1024;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const PASSED_ON = [
  'HOME',
  'SSH_AUTH_SOCK',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'HTTPS_PROXY',
  'NO_PROXY',
];

/** Settings that hold for every call: no hooks, helpers, monitors, prompts, submodules or rewriting of what is transferred. */
const SETTINGS: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.attributesFile', '/dev/null'],
  ['core.excludesFile', '/dev/null'],
  ['core.askPass', ''],
  ['core.sshCommand', 'ssh -o BatchMode=yes -o ConnectTimeout=15'],
  ['credential.helper', ''],
  ['protocol.allow', 'never'],
  ['protocol.https.allow', 'always'],
  ['protocol.http.allow', 'always'],
  ['protocol.ssh.allow', 'always'],
  ['protocol.ext.allow', 'never'],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['push.recurseSubmodules', 'no'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['commit.gpgSign', 'false'],
  ['push.gpgSign', 'false'],
  ['tag.gpgSign', 'false'],
  ['core.symlinks', 'true'],
  ['core.protectHFS', 'true'],
  ['core.protectNTFS', 'true'],
  ['core.quotePath', 'false'],
  // As many as there are cores, for work trees of more than a hundred files.
  ['checkout.workers', '0'],
  ['core.bigFileThreshold', '64m'],
  ['advice.detachedHead', 'false'],
  ['http.followRedirects', 'initial'],
  // A server that sends nothing for a minute hangs.
  ['http.lowSpeedLimit', '1'],
  ['http.lowSpeedTime', '60'],
];

export function createGit({ environment = {} }: GitOptions = {}): Git {
  const fixed: Record<string, string> = {
    PATH: environment.PATH ?? DEFAULT_PATH,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
  };
  for (const name of PASSED_ON) {
    const value = environment[name];
    if (value !== undefined) fixed[name] = value;
  }
  const run = (args: readonly string[], options: GitRun = {}): Promise<GitResult> =>
    runGit(fixed, args, options);
  return {
    run,
    async text(args, options) {
      return (await run(args, options)).stdout.toString('utf8').replace(/\n$/, '');
    },
  };
}

function runGit(
  fixed: Readonly<Record<string, string>>,
  args: readonly string[],
  options: GitRun,
): Promise<GitResult> {
  const { promise, resolve, reject } = Promise.withResolvers<GitResult>();
  const { signal, okCodes = [0], maxOutputBytes = DEFAULT_OUTPUT_BYTES } = options;
  if (signal?.aborted)
    return Promise.reject(new GitError('aborted', `git ${args[0]} was stopped before it began`));
  const child = spawn('git', args, {
    cwd: options.cwd ?? '/',
    env: { ...fixed, ...configEnvironment(options), ...locations(options), ...options.env },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    // A group of its own: what git starts (remote helpers, ssh) dies with it.
    detached: true,
  });
  let failure: GitError | undefined;
  const stop = (error: GitError): void => {
    failure ??= error;
    if (child.pid !== undefined) killGroup(child.pid);
  };
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const timer = setTimeout(
    () => stop(new GitError('timeout', `git ${args[0]} took longer than ${timeoutMs / 1_000} s`)),
    timeoutMs,
  );
  const onAbort = (): void => stop(new GitError('aborted', `git ${args[0]} was stopped`));
  signal?.addEventListener('abort', onAbort, { once: true });

  const chunks: Buffer[] = [];
  let size = 0;
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const room = maxOutputBytes - size;
    size += chunk.length;
    if (room > 0) chunks.push(chunk.subarray(0, room));
    if (size <= maxOutputBytes) return;
    if (options.truncate && child.pid !== undefined) killGroup(child.pid);
    else stop(new GitError('output', `git ${args[0]} printed more than ${maxOutputBytes} bytes`));
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    const text = chunk.toString('utf8');
    stderr = (stderr + text).slice(-STDERR_BYTES);
    options.onStderr?.(text);
  });
  if (options.input !== undefined) {
    // git may end before it has read everything; its exit code says why.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
  }
  child.once('error', (error) => {
    failure ??= new GitError('missing', `git could not be started: ${error.message}`, { cause: error });
    done(null);
  });
  child.once('close', (code) => done(code));

  function done(code: number | null): void {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    const truncated = size > maxOutputBytes;
    const result = { code: code ?? (truncated ? 0 : -1), stdout: Buffer.concat(chunks), stderr, truncated };
    if (failure) reject(failure);
    else if (truncated || okCodes.includes(result.code)) resolve(result);
    else reject(new GitError('exit', `git ${args[0]} ended with ${code}`, { code, stderr }));
  }
  return promise;
}

/** Settings and credentials go in by GIT_CONFIG_*: other users see arguments of a process, but not its environment. */
function configEnvironment({ config = [], credentials, allowFile }: GitRun): Record<string, string> {
  const settings: (readonly [string, string])[] = [...SETTINGS, ...config];
  if (allowFile) settings.push(['protocol.file.allow', 'always']);
  if (credentials) {
    const basic = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
    settings.push(['http.extraHeader', `Authorization: Basic ${basic}`]);
  }
  const environment: Record<string, string> = { GIT_CONFIG_COUNT: String(settings.length) };
  settings.forEach(([key, value], index) => {
    environment[`GIT_CONFIG_KEY_${index}`] = key;
    environment[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return environment;
}

function locations({ gitDir, workTree }: GitRun): Record<string, string> {
  return {
    ...(gitDir === undefined ? {} : { GIT_DIR: gitDir }),
    ...(workTree === undefined ? {} : { GIT_WORK_TREE: workTree }),
  };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // Ended in the meantime.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** A typed error for the platform, from whatever git's caller caught. Errors that are typed already pass through. */
export function gitFailure(
  error: unknown,
  code: 'CLONE_FAILED' | 'REPO_UNREACHABLE' | 'PUSH_REJECTED' | 'RUNNER_ERROR',
  doing: string,
): BgAgentError {
  if (error instanceof BgAgentError) return error;
  const reason =
    error instanceof GitError ? (error.kind === 'exit' ? error.reason : error.message) : String(error);
  return new BgAgentError(code, `${doing}: ${reason}`, { cause: error });
}
