import type { AgentInput } from './agents/agent.ts';
import type { Exchange } from './exchange.ts';
import { createLauncher } from './launcher.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { createTail, type Tail } from './tail.ts';
import type { CommandEnd } from './verification/inert.ts';
import type { WorkInput } from './work-input.ts';

/** How programs are started for the agent, and for the commands of the repository. */
export interface Room extends Pick<AgentInput, 'start' | 'environment'> {
  /** Runs a command line to its end, or kills it, and all that it has started, when its time is up. */
  command(commandLine: string, timeoutMs: number): Promise<CommandEnd>;
}

/**
 * Marks what is the agent's. Not the variable by which a backend marks its whole session: the sandbox's own proxy inherits that
 * from the runner, and is needed until the last command has ended.
 */
const AGENT_MARKER = 'BGAGENT_AGENT_OF';
/** Characters of a command's output that are handed on. */
const TAIL_LENGTH = 8_000;

export function createRoom(
  input: WorkInput,
  { sandbox, exchange }: { sandbox: Sandbox; exchange: Exchange },
): Room {
  const { payload, folders, stop, output, redact } = input;
  const session = `${payload.task_id}-${payload.attempt}`;
  const environment = agentEnvironment(input, session, exchange.reviewFile);
  let tail: Tail | undefined;
  const start = createLauncher({
    sandbox,
    workspace: folders.work,
    marker: `${AGENT_MARKER}=${session}`,
    folders: [folders.work, folders.home, folders.tmp],
    limits: {
      maxProcesses: payload.limits.agent_max_processes,
      maxMemoryMb: payload.limits.agent_max_memory_mb,
    },
    exceeded: (message) => stop.now({ kind: 'resources', message }),
    signal: stop.signal,
    output(stream) {
      output.read(stream);
      tail?.read(stream);
    },
  });
  return {
    start,
    environment,
    async command(commandLine, timeoutMs) {
      output.note(`$ ${commandLine}\n`);
      tail = createTail();
      let timedOut = false;
      let timer: NodeJS.Timeout | undefined;
      try {
        const { ended, kill } = await start(commandLine, environment);
        timer = setTimeout(() => {
          timedOut = true;
          kill();
        }, timeoutMs);
        const { code } = await ended;
        output.flush();
        stop.signal.throwIfAborted();
        if (timedOut) output.note(`timed out after ${timeoutMs / 1_000} s, killed\n`);
        return { code, timedOut, tail: plain(redact(tail.text())).slice(-TAIL_LENGTH) };
      } finally {
        clearTimeout(timer);
        tail = undefined;
      }
    },
  };
}

/** Without colours and other orders to a terminal. */
const plain = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it's about.
  text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '').replace(/[^\P{Cc}\n\t]/gu, '');

/** Nothing of the host's but what tools need to be found. */
function agentEnvironment(
  { folders, payload, environment }: WorkInput,
  session: string,
  reviewFile: string,
): Record<string, string> {
  return {
    PATH: environment.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: folders.home,
    LANG: environment.LANG ?? 'C.UTF-8',
    TMPDIR: folders.tmp,
    TERM: 'dumb',
    BGAGENT_SESSION: session,
    [AGENT_MARKER]: session,
    BGAGENT_TASK_ID: payload.task_id,
    ...(payload.outcome === 'review' ? { BGAGENT_REVIEW_FILE: reviewFile } : {}),
  };
}
