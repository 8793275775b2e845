/** Keeps what an agent starts away from everything but its workspace, and from the network but the allowed hosts. */
export interface Sandbox {
  /** `srt` = bubblewrap or seatbelt by way of sandbox-runtime; `user` = another user in a container; `none` = no sandbox at all. */
  readonly type: 'srt' | 'user' | 'none';
  /** Everything that a wrapped command starts ends with it, and it can't signal anything else. */
  readonly containsProcesses: boolean;
  /** Every process of this user is the agent's. */
  readonly agentUid?: number;
  /** How to start a command line (for `sh -c`) inside. */
  wrap(command: SandboxedCommand): Promise<Launch>;
  /** Ends helpers and removes what the sandbox put anywhere. To be called after every wrapped command has ended. */
  close(): Promise<void>;
}

export interface SandboxedCommand {
  commandLine: string;
  environment: Readonly<Record<string, string>>;
}

export interface Launch {
  file: string;
  args: readonly string[];
  environment: Readonly<Record<string, string>>;
}

/** Called for every attempt to reach a host that isn't allowed. The host is what the agent asked for: untrusted text. */
export type OnBlocked = (host: string) => void;

/** What the agent may do. */
export interface SandboxPolicy {
  /** Where it may write. The first is the work tree. */
  writable: readonly string[];
  /** What it may read inside of denied folders. */
  readable: readonly string[];
  /** What it must not be able to read. */
  denyRead: readonly string[];
  /** Hosts that it may reach, as `host` or `*.host`; none = no network at all. */
  egress: readonly string[];
  /** A port of this machine's loopback that is to be reached under the same address inside; null = none. */
  gatewayPort: number | null;
  /** Where the agent's temporary files go; one of `writable`. */
  tmp: string;
  /** A folder for files of the sandbox itself, out of the agent's reach. */
  scratch: string;
}
