/**
 * What the fleet asks of AWS, in the fleet's own words: the only thing between it and the SDK (`aws.ts`). Every call throws a
 * BgAgentError that names the setting or the permission to mend.
 */
export interface Cloud {
  /** Where the instance finds a payload: `s3://<bucket>/<key>`. */
  payloadLocation(key: string): string;
  putPayload(key: string, body: string): Promise<void>;
  /** One that is gone already is fine. */
  deletePayload(key: string): Promise<void>;

  /** Resolves to the command's id. Not idempotent, and never repeated here: `findCommand` tells what became of a lost answer. */
  sendCommand(command: NewCommand): Promise<string>;
  /** The command on an instance that carries this comment, if one was sent since. What was sent just now may not be seen yet. */
  findCommand(query: { instanceId: string; comment: string; sinceMs: number }): Promise<string | undefined>;
  /** Undefined = not known (yet): normal just after it was sent. */
  invocation(commandId: string, instanceId: string): Promise<Invocation | undefined>;
  /** Ids of commands of a document that are not over, of the whole fleet. */
  executing(document: DocumentName): Promise<Set<string>>;
  /** One that is over, or on an instance that is gone, is fine. */
  cancelCommand(commandId: string, instanceId: string): Promise<void>;

  /** All machines that carry the fleet's tag, whoever started them, those just terminated too. */
  machines(): Promise<Machine[]>;
  machine(instanceId: string): Promise<Machine | undefined>;
  /** The Auto Scaling groups of these names. */
  groups(names: readonly string[]): Promise<Group[]>;
  /** Those of these instances whose SSM agent was heard of lately: up to five minutes old, so a hint. */
  online(instanceIds: readonly string[]): Promise<Set<string>>;
  setDesired(group: string, desired: number): Promise<void>;
  /** Why a group gets no machines, in AWS's words; undefined when its latest activity went well. */
  capacityProblem(group: string): Promise<string | undefined>;
  /** Takes the machine's protection from scale-in, then ends it. `decrement`: the group shall have one fewer; else it replaces it. */
  terminate(group: string, instanceId: string, options: { decrement: boolean }): Promise<void>;
  /** Lets a launched machine into service, or abandons it. One that waits no more is fine. */
  completeLaunch(group: string, instanceId: string, result: 'CONTINUE' | 'ABANDON'): Promise<void>;
  /** For people; nothing is decided by tags. */
  tag(instanceId: string, tags: { status: string; taskId: string }): Promise<void>;
  /** What the machine printed while it booted. */
  consoleOutput(instanceId: string): Promise<string>;
}

export const DOCUMENTS = ['start', 'stop', 'boot-check'] as const;
export type DocumentName = (typeof DOCUMENTS)[number];

export interface NewCommand {
  document: DocumentName;
  instanceId: string;
  parameters: Readonly<Record<string, string>>;
  comment: string;
  /** How long it may take until the instance has it; 30 at least. */
  deliveryTimeoutS: number;
}

/** What Systems Manager says of a command on one instance. */
export interface Invocation {
  status: string;
  statusDetails: string;
  /** -1 while unknown. */
  responseCode: number;
}

export interface Machine {
  instanceId: string;
  /** `running`, `terminated` and the like. */
  state: string;
  /** AWS took it back: a Spot interruption. */
  interrupted: boolean;
}

export interface Group {
  name: string;
  min: number;
  max: number;
  desired: number;
  members: { instanceId: string; lifecycle: string }[];
}
