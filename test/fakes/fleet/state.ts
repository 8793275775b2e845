/** What the simulated account holds. Each thing keeps its history, so that reads can lag behind as AWS's do. */

interface Version<T> {
  atMs: number;
  value: T;
}

/** A value with its past. */
export class Lagging<T> {
  readonly #versions: Version<T>[] = [];
  readonly #now: () => number;
  constructor(now: () => number, value: T) {
    this.#now = now;
    this.set(value);
  }
  set(value: T): void {
    this.#versions.push({ atMs: this.#now(), value });
  }
  get now(): T {
    const latest = this.#versions.at(-1);
    if (!latest) throw new Error('a value has at least one version');
    return latest.value;
  }
  /** As a reader sees it who is so far behind; undefined when it was not there yet. */
  seen(lagMs: number): T | undefined {
    const at = this.#now() - lagMs;
    return this.#versions.findLast((version) => version.atMs <= at)?.value;
  }
}

export type InstanceState = 'pending' | 'running' | 'shutting-down' | 'terminated';

export interface SimInstance {
  id: string;
  group: string;
  state: Lagging<InstanceState>;
  lifecycle: Lagging<string>;
  interrupted: boolean;
  online: boolean;
  protected: boolean;
  tags: Map<string, string>;
  /** Status of the Spot notice; null = none. */
  notice: string | null;
}

export interface SimGroup {
  name: string;
  min: number;
  max: number;
  desired: number;
  /** AWS has no machines of the type. */
  outOfCapacity: boolean;
}

interface CommandState {
  status: string;
  details: string;
  code: number;
}

export interface SimCommand {
  id: string;
  document: string;
  instanceId: string;
  parameters: Record<string, string>;
  comment: string;
  sentAtMs: number;
  state: Lagging<CommandState>;
}

/** How the simulated account misbehaves. */
export interface Modes {
  /** Describe and list calls show what was so long ago. */
  readDelayMs: number;
  /** How long every answer takes to arrive. */
  answerMs: number;
  /** Answers a call with a throttling error, and does nothing. */
  throttle(action: string): boolean;
  /** Does what was asked, and breaks the connection. */
  loseAnswer(action: string): boolean;
  /** Refuses a call with an error of this name, and does nothing. */
  refuse(action: string): string | undefined;
  /** What is broken on a machine that boots. */
  boot: 'docker' | 'image' | 'gpu' | 'disk' | 'hangs' | 'offline' | undefined;
  /** Resolves when the command may reach its machine. */
  deliver(command: SimCommand): Promise<void>;
  /** How often a command reaches its machine. */
  deliveries: number;
}

export const goodModes = (): Modes => ({
  readDelayMs: 0,
  answerMs: 0,
  throttle: () => false,
  loseAnswer: () => false,
  refuse: () => undefined,
  boot: undefined,
  deliver: async () => undefined,
  deliveries: 1,
});

/** An error of AWS, by its name. */
export class AwsError extends Error {
  constructor(name: string, message = name) {
    super(message);
    this.name = name;
  }
}
