import type { ErrorCode } from '../task/errors.ts';
import type { AgentInput, AgentModel, AgentResult, CodingAgent } from './agents/agent.ts';
import type { Exchange } from './exchange.ts';
import { createLauncher } from './launcher.ts';
import { failureOf } from './outcome.ts';
import { preview } from './output.ts';
import { watchQuota } from './quota.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { setArtifactsAside, stageWork } from './stage.ts';
import { hasVerification, type Verification, verify } from './verify.ts';
import type { WorkInput } from './work-input.ts';

/** How the agent's part ended. */
export type Ending = AgentResult | { kind: 'error'; code: ErrorCode; message: string };

export interface AgentPhase {
  ending: Ending;
  verification: Verification;
  /** The work was staged before other programs ran on the work tree. */
  staged: boolean;
}

/** Where and with what the agent works. */
export interface AgentPlace {
  sandbox: Sandbox;
  exchange: Exchange;
  agent: CodingAgent;
  model: AgentModel | null;
}

const NOT_VERIFIED: Verification = { build_passed: null, lint_passed: null };

/** Setup, baseline, agent and verification, all inside the sandbox. Never throws: what went wrong is the ending. */
export async function runAgent(
  input: WorkInput,
  { sandbox, exchange, agent, model }: AgentPlace,
): Promise<AgentPhase> {
  const { payload, phases, reporter, stop, output } = input;
  const { start, command, environment } = createRoom(input, sandbox);
  const endWatch = watchWorkspace(input);
  const result: Omit<AgentPhase, 'ending'> = { verification: NOT_VERIFIED, staged: false };
  try {
    if (!(await setUp(input, command)))
      return {
        ...result,
        ending: { kind: 'error', code: 'SETUP_FAILED', message: 'the setup command failed' },
      };
    const ending = await phases.run('agent', () =>
      agent.run({
        agent: payload.agent,
        prompt: payload.prompt,
        ...exchange,
        workspace: input.folders.work,
        model,
        environment,
        signal: stop.signal,
        start,
        ...whatItSays(input),
      }),
    );
    output.flush();
    stop.signal.throwIfAborted();
    if (ending.kind === 'done' && hasVerification(payload.commands)) {
      // What build and lint leave behind is not the agent's work.
      await stageWork(input);
      result.staged = true;
      result.verification = await phases.run('verify', () => verify(payload.commands, command));
      reporter.event('verification_completed', result.verification);
    }
    return { ...result, ending };
  } catch (error) {
    return { ...result, ending: { kind: 'error', ...failureOf(stop, error) } };
  } finally {
    endWatch();
    output.flush();
    output.end();
  }
}

/** Where what the agent tells ends up: events with short previews, and the log; both without secrets. */
function whatItSays({ reporter, output, redact }: WorkInput): Pick<AgentInput, 'onEvent' | 'print'> {
  return {
    onEvent: (type, metadata) =>
      reporter.event(
        type,
        tidied(metadata, (text) => preview(redact(text))),
      ),
    print: (text) => output.print(text),
  };
}

/** A copy with every text in it changed. */
function tidied<T extends object>(metadata: T, change: (text: string) => string): T {
  const copy = { ...metadata };
  for (const [name, value] of Object.entries(metadata))
    if (typeof value === 'string') Object.assign(copy, { [name]: change(value) });
  return copy;
}

/** How programs are started for the agent, and for the commands of the repository. */
function createRoom(input: WorkInput, sandbox: Sandbox) {
  const { payload, folders, stop, output } = input;
  const session = `${payload.task_id}-${payload.attempt}`;
  const environment = agentEnvironment(input, session);
  const start = createLauncher({
    sandbox,
    workspace: folders.work,
    marker: `BGAGENT_SESSION=${session}`,
    folders: [folders.work, folders.home, folders.tmp],
    limits: {
      maxProcesses: payload.limits.agent_max_processes,
      maxMemoryMb: payload.limits.agent_max_memory_mb,
    },
    exceeded: (message) => stop.now({ kind: 'resources', message }),
    signal: stop.signal,
    output: (stream) => output.read(stream),
  });
  /** Whether the command line ended well. */
  const command = async (commandLine: string): Promise<boolean> => {
    output.note(`$ ${commandLine}\n`);
    const { ended } = await start(commandLine, environment);
    const { code } = await ended;
    output.flush();
    stop.signal.throwIfAborted();
    return code === 0;
  };
  return { start, command, environment };
}

/** Nothing of the host's but what tools need to be found. */
function agentEnvironment(
  { folders, payload, environment }: WorkInput,
  session: string,
): Record<string, string> {
  return {
    PATH: environment.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: folders.home,
    LANG: environment.LANG ?? 'C.UTF-8',
    TMPDIR: folders.tmp,
    TERM: 'dumb',
    BGAGENT_SESSION: session,
    BGAGENT_TASK_ID: payload.task_id,
  };
}

/** The repository's own preparation; false when it failed. What it left behind stays out of the commit. */
async function setUp(input: WorkInput, command: (commandLine: string) => Promise<boolean>): Promise<boolean> {
  const { commands } = input.payload;
  const { setup } = commands;
  if (setup !== null && !(await input.phases.run('setup', () => command(setup)))) return false;
  if (hasVerification(commands)) await input.phases.run('baseline', () => verify(commands, command));
  if (setup !== null || hasVerification(commands)) await setArtifactsAside(input);
  return true;
}

const watchWorkspace = ({ payload: { limits }, folders, stop }: WorkInput): (() => void) =>
  watchQuota({
    folders: [folders.work, folders.home, folders.tmp, folders.exchange],
    maxFiles: limits.max_files,
    maxBytes: limits.workspace_max_mb * 1024 * 1024,
    exceeded: (message) => stop.now({ kind: 'quota', message }),
  });
