import { checkBranchName } from '../forge/git/branch.ts';
import type { Git } from '../forge/git/git.ts';
import { parseRemote } from '../forge/git/remote.ts';
import { BgAgentError, codeOf, type ErrorCode, messageOf } from '../task/errors.ts';
import type { OutcomeReport, Payload } from '../task/protocol.ts';
import type { AgentResult } from './agents/agent.ts';
import { loadAgent } from './agents/registry.ts';
import { commitWork } from './commit.ts';
import { type Diff, diffOf } from './diff.ts';
import { createExchange, type Exchange, readSummary } from './exchange.ts';
import type { RunFolders } from './folders.ts';
import { createLauncher } from './launcher.ts';
import { layOutMirror, type MirrorInput, transferOptions } from './mirror.ts';
import { planSandbox } from './open-sandbox.ts';
import type { OutputLog } from './output.ts';
import type { Phases } from './phases.ts';
import { sandboxPolicy } from './policy.ts';
import { pushBranch } from './push.ts';
import { watchQuota } from './quota.ts';
import type { Reporter } from './reporter.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { type Stop, StoppedError } from './stop.ts';
import { hasVerification, type Verification, verify } from './verify.ts';
import { createWorkspace, layOutFolders, type Workspace } from './workspace.ts';

export interface WorkInput {
  payload: Payload;
  workDir: string;
  folders: RunFolders;
  git: Git;
  credentials: MirrorInput['credentials'];
  /** The environment of the runner: PATH and the like are taken from it for the agent. */
  environment: Readonly<Record<string, string | undefined>>;
  reporter: Reporter;
  output: OutputLog;
  phases: Phases;
  stop: Stop;
  now(): number;
}

/** How the agent's part ended. */
type Ending = AgentResult | { kind: 'error'; code: ErrorCode; message: string };

/**
 * The whole work of a task: clone, agent, verification, commit, push. Always resolves to an outcome but for a session that is
 * not wanted any more; what there is when it's stopped early is pushed as partial.
 */
export async function doWork(input: WorkInput): Promise<OutcomeReport> {
  const { payload, phases, stop, reporter } = input;
  const outcome = emptyOutcome();
  try {
    const { workspace, sandbox } = await prepare(input);
    try {
      const exchange = await createExchange(input.folders.exchange, payload.prompt);
      const { ending, verification } = await runAgent(input, sandbox, exchange);
      Object.assign(outcome, verification);
      outcome.summary = (ending.kind === 'done' ? ending.summary : null) ?? (await readSummary(exchange));
      await deliver(input, workspace, ending, outcome);
    } finally {
      await sandbox.close();
    }
  } catch (error) {
    if (stop.reason?.kind === 'unwanted') throw error;
    fail(outcome, stop, error);
  }
  outcome.timings = {
    clone_ms: phases.durationMs('clone'),
    agent_ms: phases.durationMs('agent'),
    verify_ms: phases.durationMs('setup', 'baseline', 'verify'),
    push_ms: phases.durationMs('commit', 'push'),
  };
  if (outcome.head_sha !== null && outcome.diff_stat)
    reporter.event('branch_pushed', {
      branch_name: payload.repo.branch_name,
      head_sha: outcome.head_sha,
      files_changed: outcome.diff_stat.files_changed,
      partial: outcome.partial,
    });
  return outcome;
}

/** Clone and sandbox at the same time: neither needs the other. */
async function prepare(input: WorkInput): Promise<{ workspace: Workspace; sandbox: Sandbox }> {
  const { payload, folders, workDir, environment, phases, output, reporter } = input;
  // Before any of them becomes a path or an argument.
  for (const branch of [payload.repo.base_branch, payload.repo.branch_name]) checkBranchName(branch);
  parseRemote(payload.repo.url);
  await Promise.all([layOutFolders(folders), layOutMirror(mirrorInput(input))]);
  const policy = sandboxPolicy({ folders, workDir, payload, path: environment.PATH ?? '' });
  const plan = await planSandbox(payload.sandbox.mode, environment);
  reporter.event('runner_started', { attempt: payload.attempt, sandbox: plan.type });
  const opening = plan.open(policy);
  const cloning = phases.run('clone', () => createWorkspace({ ...mirrorInput(input), folders }));
  const [sandbox, workspace] = await Promise.allSettled([opening, cloning]);
  if (sandbox.status === 'fulfilled' && workspace.status === 'fulfilled') {
    if (sandbox.value.type === 'none')
      output.note(
        'the agent runs WITHOUT a sandbox: it can read and change what the user of the platform can\n',
      );
    return { sandbox: sandbox.value, workspace: workspace.value };
  }
  if (sandbox.status === 'fulfilled') await sandbox.value.close();
  throw sandbox.status === 'rejected'
    ? sandbox.reason
    : workspace.status === 'rejected'
      ? workspace.reason
      : undefined;
}

const mirrorInput = ({ git, folders, payload, stop, credentials, output }: WorkInput): MirrorInput => ({
  git,
  mirror: folders.mirror,
  repo: payload.repo,
  timeoutMs: payload.limits.clone_timeout_s * 1_000,
  signal: stop.signal,
  credentials,
  note: (text) => output.note(text),
});

async function runAgent(
  input: WorkInput,
  sandbox: Sandbox,
  exchange: Exchange,
): Promise<{ ending: Ending; verification: Verification }> {
  const { payload, folders, phases, reporter, stop, output } = input;
  const marker = `${payload.task_id}-${payload.attempt}`;
  const start = createLauncher({
    sandbox,
    workspace: folders.work,
    marker: `BGAGENT_SESSION=${marker}`,
    folders: [folders.work, folders.home, folders.tmp],
    signal: stop.signal,
    output: (stream) => output.read(stream),
  });
  const environment = agentEnvironment(input, marker);
  const command = async (commandLine: string): Promise<boolean> => {
    output.note(`$ ${commandLine}\n`);
    const { ended } = await start(commandLine, environment);
    const { code } = await ended;
    output.flush();
    return code === 0;
  };
  const endWatch = watchQuota({
    folders: [folders.work, folders.home, folders.tmp, folders.exchange],
    maxFiles: payload.limits.max_files,
    maxBytes: payload.limits.workspace_max_mb * 1024 * 1024,
    exceeded: (message) => stop.now({ kind: 'quota', message }),
  });
  let verification: Verification = { build_passed: null, lint_passed: null };
  try {
    if (payload.commands.setup !== null) {
      const { setup } = payload.commands;
      const ok = await phases.run('setup', () => command(setup));
      if (!ok)
        return {
          ending: { kind: 'error', code: 'SETUP_FAILED', message: 'the setup command failed' },
          verification,
        };
    }
    if (hasVerification(payload.commands))
      await phases.run('baseline', () => verify(payload.commands, command));
    const result = await phases.run('agent', async () => {
      const agent = await loadAgent(payload.agent.type);
      return agent.run({
        agent: payload.agent,
        ...exchange,
        workspace: folders.work,
        environment,
        signal: stop.signal,
        start,
        onEvent: (type, metadata) => reporter.event(type, metadata),
      });
    });
    output.flush();
    stop.signal.throwIfAborted();
    if (hasVerification(payload.commands)) {
      verification = await phases.run('verify', () => verify(payload.commands, command));
      reporter.event('verification_completed', verification);
    }
    return { ending: result, verification };
  } catch (error) {
    return { ending: { kind: 'error', ...reasonOf(stop, error) }, verification };
  } finally {
    endWatch();
    output.flush();
    output.end();
  }
}

/** Nothing of the host's but what tools need to be found. */
function agentEnvironment(
  { folders, payload, environment }: WorkInput,
  marker: string,
): Record<string, string> {
  return {
    PATH: environment.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: folders.home,
    LANG: environment.LANG ?? 'C.UTF-8',
    TMPDIR: folders.tmp,
    TERM: 'dumb',
    BGAGENT_SESSION: marker,
    BGAGENT_TASK_ID: payload.task_id,
  };
}

/** Commits and pushes, whatever the ending (O7), and writes down how it ended. */
async function deliver(
  input: WorkInput,
  workspace: Workspace,
  ending: Ending,
  outcome: OutcomeReport,
): Promise<void> {
  const { payload, phases, stop, git, folders, output } = input;
  const partial = ending.kind !== 'done';
  if (stop.reason?.kind === 'unwanted') throw stop.signal.reason;
  if (partial)
    failWith(
      outcome,
      stop,
      ending.kind === 'failed' ? { code: 'AGENT_FAILED', message: ending.message } : ending,
    );
  try {
    const commit = await phases.run('commit', () =>
      commitWork({
        git,
        folders,
        startSha: workspace.startSha,
        payload,
        partial,
        now: input.now,
        note: (text) => output.note(text),
      }),
    );
    const sha = commit ?? payload.repo.resume_sha;
    if (sha !== null) {
      // Being stopped must not stop the push of what there is.
      const transfer = { ...mirrorInput(input), signal: AbortSignal.timeout(PUSH_LIMIT_MS) };
      if (commit !== null)
        await phases.run('push', () =>
          pushBranch({ ...transfer, git, folders, sha, expected: payload.repo.resume_sha }),
        );
      const diff = await diffOf(
        git,
        { ...(await transferOptions(transfer)), gitDir: folders.git },
        payload.repo.base_sha,
        sha,
      );
      describe(outcome, payload, sha, diff, partial);
    } else if (!partial) {
      outcome.result = 'no_changes';
      outcome.outcome = 'no_changes';
      outcome.summary ??= 'The agent ended well and changed nothing.';
    }
  } catch (error) {
    // The first failure is the one to tell.
    if (partial) output.note(`what there is could not be kept: ${messageOf(error)}\n`);
    else throw error;
  }
}

const PUSH_LIMIT_MS = 10 * 60_000;

function describe(outcome: OutcomeReport, payload: Payload, sha: string, diff: Diff, partial: boolean): void {
  outcome.branch_name = payload.repo.branch_name;
  outcome.head_sha = sha;
  outcome.partial = partial;
  outcome.diff_stat = diff.stat;
  outcome.diff = diff.text;
  outcome.diff_truncated = diff.truncated;
  if (partial) return;
  outcome.result = 'changes';
  outcome.outcome = 'changes';
}

/** The reason that counts: a stop explains whatever came after it. */
function reasonOf(stop: Stop, error: unknown): { code: ErrorCode; message: string } {
  const { reason } = stop;
  if (reason?.kind === 'cancelled')
    return { code: 'CANCELLED_BY_USER', message: 'the task was cancelled while it ran' };
  if (reason?.kind === 'timed-out')
    return { code: 'DEADLINE_REACHED', message: 'the deadline was reached while the agent worked' };
  if (reason?.kind === 'quota') return { code: 'DISK_QUOTA_EXCEEDED', message: reason.message };
  return { code: codeOf(error, 'RUNNER_ERROR'), message: messageOf(error) };
}

function fail(outcome: OutcomeReport, stop: Stop, error: unknown): void {
  failWith(
    outcome,
    stop,
    reasonOf(stop, error instanceof StoppedError || error instanceof BgAgentError ? error : error),
  );
}

function failWith(outcome: OutcomeReport, stop: Stop, error: { code: ErrorCode; message: string }): void {
  const results = {
    cancelled: 'cancelled',
    'timed-out': 'timed_out',
    quota: 'failed',
    unwanted: 'failed',
  } as const;
  outcome.result = stop.reason ? results[stop.reason.kind] : 'failed';
  outcome.outcome = null;
  outcome.error = { code: error.code, message: error.message.slice(0, 2_000) };
}

const emptyOutcome = (): OutcomeReport => ({
  result: 'failed',
  outcome: null,
  summary: null,
  branch_name: null,
  head_sha: null,
  partial: false,
  diff_stat: null,
  diff: null,
  diff_truncated: false,
  build_passed: null,
  lint_passed: null,
  turns_attempted: null,
  turns_completed: null,
  cost_usd: null,
  error: null,
  timings: { clone_ms: null, agent_ms: null, verify_ms: null, push_ms: null },
});
