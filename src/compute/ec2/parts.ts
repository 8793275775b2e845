import type { InstanceStore } from '../../stores/instance-store.ts';
import { messageOf } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';
import type { ComputeEvents } from '../strategy.ts';
import type { Cloud } from './cloud.ts';
import type { Pool } from './pools.ts';

export interface Ec2ComputeOptions {
  cloud: Cloud;
  instances: InstanceStore;
  /** Value of the tag `bgagent:fleet`. */
  fleet: string;
  /** See `poolsOf`. */
  pools: readonly Pool[];
  /** Image of the runner; `{arch}` becomes `amd64` or `arm64`. */
  image: string;
  /** Where instances reach the platform. */
  apiUrl(): string;
  limits?: Partial<FleetLimits>;
  /** Names this process among those that claim, for people. */
  owner: string;
  /** A name that nobody can guess. */
  newKey(): string;
  /** Milliseconds since 1970. */
  now(): number;
  /** 0 up to 1. */
  random(): number;
  /** Pauses; must not keep the process alive. */
  delay(ms: number): Promise<void>;
  events: ComputeEvents;
  log: Log;
}

export interface FleetLimits {
  /** Hot machines kept idle in each pool beyond those that someone waits for. Default 0. */
  warmIdle: number;
  /** A machine serves one session after the other; else each gets a fresh one. Default false. */
  reuse: boolean;
  /** How long a machine beyond the warm ones may stay idle. Default 5 minutes. */
  idleMs: number;
  /** From launch until SSM answers, and until the boot check has ended; longer than real boots. Default 15 minutes each. */
  bootMs: number;
  /** Pause between sweeps while someone waits or something boots or ends. Default 10 s. */
  sweepMs: number;
  /** How often a fleet at work is looked at: commands and machines by turns. Default 5 minutes. */
  watchMs: number;
  /** Pause between looks at a command that is waited for. Default 1 s. */
  pollMs: number;
  /** How long a command whose sending had no answer is looked for. Default 10 s. */
  lostAnswerMs: number;
}

const DEFAULTS: FleetLimits = {
  warmIdle: 0,
  reuse: false,
  idleMs: 5 * 60_000,
  bootMs: 15 * 60_000,
  sweepMs: 10_000,
  watchMs: 5 * 60_000,
  pollMs: 1_000,
  lostAnswerMs: 10_000,
};

/** What the parts of the fleet work with. */
export interface FleetParts extends Omit<Ec2ComputeOptions, 'limits'> {
  limits: FleetLimits;
  /** Does what nobody waits for; a failure is logged under the event key with its error. */
  aside(event: string, work: () => Promise<unknown>): void;
  /** Resolves when all that was begun aside is over. */
  settled(): Promise<void>;
}

export function createParts(options: Ec2ComputeOptions): FleetParts {
  const under = new Set<Promise<unknown>>();
  return {
    ...options,
    limits: { ...DEFAULTS, ...options.limits },
    aside(event, work) {
      const running = work()
        .catch((error: unknown) =>
          options.log.warn(
            { event, compute_type: 'ec2', error: messageOf(error) },
            'something beside the path failed',
          ),
        )
        .finally(() => under.delete(running));
      under.add(running);
    },
    async settled() {
      while (under.size > 0) await Promise.all(under);
    },
  };
}
