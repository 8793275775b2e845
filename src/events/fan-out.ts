import type { Channel } from '../channels/channel.ts';
import type { Stores } from '../stores/stores.ts';
import type { Log } from '../task/log.ts';
import { type Backoff, DEFAULT_BACKOFF } from './backoff.ts';
import { startChannelWorker } from './channel-worker.ts';
import { startFeedReader } from './feed-reader.ts';

export interface FanOutOptions {
  stores: Pick<Stores, 'events' | 'tasks' | 'repos' | 'deliveries'>;
  channels: readonly Channel[];
  log: Log;
  now(): number;
  /** This process, different from every earlier one. */
  owner: string;
  /** From 0 to 1. Default: Math.random. */
  random?: () => number;
  /** Default: DEFAULT_BACKOFF. */
  backoff?: Backoff;
  /** Failures after which a delivery is dead. Default 10. */
  maxFailures?: number;
  /** How long a claim holds, in milliseconds. Default 120,000: longer than an attempt with all its calls. */
  leaseMs?: number;
  /** How long a stop waits for deliveries under way, in milliseconds. Default 5,000. */
  finishMs?: number;
}

export interface FanOut {
  /** Stops reading and claiming, and waits a moment for deliveries under way. */
  stop(): Promise<void>;
}

/**
 * The fan-out of a platform that is one process: one reader of the events, one worker a channel, the ledger between them. Claims
 * of earlier processes are taken over, since the database has one owner.
 */
export async function startFanOut({
  random = Math.random,
  backoff = DEFAULT_BACKOFF,
  maxFailures = 10,
  leaseMs = 120_000,
  finishMs = 5_000,
  ...options
}: FanOutOptions): Promise<FanOut> {
  const { stores, channels, log, owner } = options;
  const released = await stores.deliveries.releaseClaims(owner);
  if (released > 0)
    log.info(
      { event: 'fanout.claims.released', claims: released },
      'took over deliveries of an earlier process',
    );
  const deps = { ...options, random, backoff, maxFailures, leaseMs, finishMs };
  const parts = [
    startFeedReader({ stores, channels, log }),
    ...channels.map((channel) => startChannelWorker(deps, channel)),
  ];
  return {
    async stop() {
      await Promise.all(parts.map((part) => part.stop()));
    },
  };
}
