import type { Git } from '../forge/git/git.ts';
import type { ModelAccess, Payload } from '../task/protocol.ts';
import type { RunFolders } from './folders.ts';
import type { MirrorInput } from './mirror.ts';
import type { Nudges } from './nudges.ts';
import type { OutputLog } from './output.ts';
import type { Phases } from './phases.ts';
import type { Reporter } from './reporter.ts';
import type { AgentUser } from './sandbox/user.ts';
import type { Stop } from './stop.ts';

/** What every part of the work needs. */
export interface WorkInput {
  payload: Payload;
  workDir: string;
  /** The user that agents run as in place of a sandbox; null = there is one. */
  agentUser: AgentUser | null;
  folders: RunFolders;
  git: Git;
  /** To clone and push with; null when none are needed. `anew`: those of a while ago may not be good any more. */
  credentials(anew?: boolean): ReturnType<MirrorInput['credentials']>;
  /** How to reach the model; null when the deployment has none for the agent. `anew`: the last one is not taken any more. */
  modelAccess(anew?: boolean): Promise<ModelAccess | null>;
  /** Takes secrets out of a text. */
  redact(text: string): string;
  /** The kind of secret that a text holds. */
  findSecret(text: string): string | undefined;
  /** The environment of the runner: PATH and the like are taken from it for the agent. */
  environment: Readonly<Record<string, string | undefined>>;
  reporter: Reporter;
  output: OutputLog;
  phases: Phases;
  stop: Stop;
  /** What people say to the agent. */
  nudges: Nudges;
  now(): number;
  /** 0 up to 1. */
  random(): number;
}

export const mirrorInput = ({
  git,
  folders,
  payload,
  stop,
  credentials,
  output,
}: WorkInput): MirrorInput => ({
  git,
  mirror: folders.mirror,
  repo: payload.repo,
  timeoutMs: payload.limits.clone_timeout_s * 1_000,
  signal: stop.signal,
  credentials: () => credentials(),
  note: (text) => output.note(text),
});
