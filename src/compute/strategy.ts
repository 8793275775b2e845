import type { Session } from '../task/task.ts';

/** A place to run a task. One file of ports: local, ec2, ecs and agentcore are factories that return this. */
export interface ComputeStrategy {
  readonly type: string;
  readonly capabilities: ComputeCapabilities;

  /**
   * Starts the runner for one attempt of a task. Idempotent by `taskId` + `attempt`: a second call finds the session.
   * "No capacity" is a normal answer: the task waits and tries again. On error nothing acquired is kept (COMPUTE_UNAVAILABLE).
   */
  start(spec: SessionSpec): Promise<StartResult>;

  /**
   * What is known of the session now. Throws COMPUTE_UNAVAILABLE when it can't be told (that is no verdict). `fresh`: ask the
   * backend itself, where else what was learned a few minutes ago will do.
   */
  describe(session: Session, options?: { fresh?: boolean }): Promise<SessionState>;

  /**
   * Ends the session. The agent dies at once; the runner gets up to `graceMs` to push what there is, then everything is
   * killed. Returns when the session is proven gone; what start acquired is given back. Stopping twice is harmless.
   */
  stop(session: Session, options: { graceMs: number }): Promise<void>;

  /** Sessions that exist, whoever started them: for finding orphans. */
  list(): Promise<Session[]>;

  /** Removes what is left of an ended session (payload, workspace). Never touches a live one. */
  cleanUp(session: Session): Promise<void>;
}

export interface SessionSpec {
  taskId: string;
  attempt: number;
  /** Bearer token for /v1/runner, good for this task and attempt. */
  token: string;
  readOnly: boolean;
  instanceType: string | null;
  /** When the work must have ended, milliseconds since the epoch. */
  deadlineAtMs: number;
}

export type StartResult = { kind: 'started'; session: Session } | { kind: 'no-capacity'; reason: string };

export type SessionState =
  | { kind: 'running' }
  | { kind: 'exited'; exitCode: number | null; reason: string }
  /** The backend took the place away: a new attempt can go on from what was pushed. */
  | { kind: 'interrupted'; reason: string }
  /** Nothing is known of it: it never existed or is long gone. */
  | { kind: 'missing' };

export interface ComputeCapabilities {
  /** The backend itself reports that a session ended, so a missed heartbeat alone is no verdict. */
  reportsExit: boolean;
  /** How long a start may take before the first heartbeat is due, added to the grace of 120 s. */
  startAllowanceMs: number;
  /** How many sessions can run at once; null = the backend decides. */
  maxSessions: number | null;
  /** Instance types that a repository may ask for; left out = the backend has no such thing. */
  instanceTypes?: readonly string[];
  /** Whether it may take a place away (`interrupted`). Default: no. */
  interruptible?: boolean;
  /** The longest that a session may be given, in seconds: deadlines beyond it are cut. Left out = as long as anyone likes. */
  maxDeadlineS?: number;
}

/** Called by a strategy the moment a session of its ended, or room became free. */
export interface ComputeEvents {
  sessionEnded(taskId: string, attempt: number): void;
  capacityFreed(): void;
}
