import { z } from 'zod';

/**
 * The machines of a fleet, which session has which, and who waits for one. A claim is one conditional write on the machine's own
 * record: nothing that comes second-hand (a tag, a list of machines) decides who may use it. Times are milliseconds since 1970.
 */
export interface InstanceStore {
  /** Adds a record. False, with nothing written, when there is one of that id. */
  add(instance: FleetInstance): Promise<boolean>;
  get(instanceId: string): Promise<FleetInstance | undefined>;
  /** All of a fleet, by id. */
  list(fleet: string): Promise<FleetInstance[]>;
  /** Ids of machines of the pool that are `idle` now, in no order. Only a hint: `claim` decides. */
  idle(fleet: string, pool: string): Promise<string[]>;
  /**
   * Changes the phase, and fields beside it, of a machine that no session has. False, with nothing written, when it is in none of
   * `from`, or gone. To `busy` leads only `claim`, from it only `release`.
   */
  move(
    instanceId: string,
    move: { from: readonly FreePhase[]; to: FreePhase; patch?: InstancePatch },
  ): Promise<boolean>;
  /** Forgets a machine that no session has. False when one has it, or there is none. */
  remove(instanceId: string): Promise<boolean>;

  /**
   * Gives an idle machine to a new session and drops that session's wish, in one write: `claimed`. Nothing is written when the
   * machine isn't idle (`taken`), or when the session has a record already, whatever its machine (`known`).
   */
  claim(session: FleetSession): Promise<'claimed' | 'taken' | 'known'>;
  /**
   * Ends a session's hold on its machine: `idle` for the next, `draining` for the end. False when the session has no machine.
   */
  release(sessionId: string, to: 'idle' | 'draining'): Promise<boolean>;
  /**
   * Undoes a claim as if it had never been; the session's record goes, too. False, with nothing written, when the session has no
   * machine or another owner than this one: somebody else goes on with it.
   */
  undo(sessionId: string, owner: string, to: 'idle' | 'draining'): Promise<boolean>;
  /** Makes a session this owner's, so that whoever claimed it can't undo the claim any more. Undefined when there is none. */
  adopt(sessionId: string, owner: string): Promise<FleetSession | undefined>;
  session(sessionId: string): Promise<FleetSession | undefined>;
  /** All sessions of a fleet that are kept, by id. */
  sessions(fleet: string): Promise<FleetSession[]>;
  /** Remembers the command that starts the session. False when there is one already, or no such session. */
  noteCommand(sessionId: string, commandId: string): Promise<boolean>;
  /** Remembers how the session ended. False when that is known already, or no such session: the first one counts. */
  noteEnd(sessionId: string, end: SessionEnd): Promise<boolean>;
  /** Forgets a session that has no machine any more. */
  forget(sessionId: string): Promise<void>;

  /** Remembers that a session waits for a machine of the pool; a later wish of the same session takes the place of the earlier. */
  wish(wish: Wish): Promise<void>;
  wishes(fleet: string): Promise<Wish[]>;
  dropWish(sessionId: string): Promise<void>;
}

export const fleetInstanceSchema = z.object({
  instanceId: z.string(),
  fleet: z.string(),
  /** Instance type and purchase option, `<type>/<purchase>`: machines of one pool are alike. */
  pool: z.string(),
  phase: z.enum(['booting', 'idle', 'busy', 'draining', 'boot-failed']),
  /** Since when it is in this phase. */
  sinceMs: z.number(),
  /** The session that has it; null exactly when it isn't busy. */
  sessionId: z.string().nullable(),
  /** The command that checks whether it has booted; null = none yet. */
  checkCommandId: z.string().nullable(),
  /** Why it is in its phase, in words for people. */
  reason: z.string().nullable(),
  /** Sessions that it has had. */
  sessionsRun: z.number(),
});

export type FleetInstance = z.infer<typeof fleetInstanceSchema>;
export type FreePhase = Exclude<FleetInstance['phase'], 'busy'>;
export type InstancePatch = Partial<Pick<FleetInstance, 'checkCommandId' | 'reason' | 'sinceMs'>>;

const sessionEndSchema = z.object({
  kind: z.enum(['exited', 'interrupted']),
  exitCode: z.number().nullable(),
  reason: z.string(),
});

export type SessionEnd = z.infer<typeof sessionEndSchema>;

/** One attempt of a task on a machine. Kept after the machine is released, so that a second start finds the first. */
export const fleetSessionSchema = z.object({
  /** `<task id>-<attempt>` */
  sessionId: z.string(),
  fleet: z.string(),
  taskId: z.string(),
  /** The epoch: an attempt that is no longer current is refused everywhere. */
  attempt: z.number(),
  instanceId: z.string(),
  /** Who claimed it: a process of the platform, for people. */
  owner: z.string(),
  claimedAtMs: z.number(),
  /** From then on the machine may be taken back, once the session is proven gone. */
  expiresAtMs: z.number(),
  /** Where the session's payload lies. */
  payloadKey: z.string(),
  commandId: z.string().nullable(),
  end: sessionEndSchema.nullable(),
  /** Its machine was given back. */
  released: z.boolean(),
});

export type FleetSession = z.infer<typeof fleetSessionSchema>;

export interface Wish {
  sessionId: string;
  fleet: string;
  pool: string;
  /** From then on nobody waits any more. */
  untilMs: number;
}
