import type { Channel } from '../channels/channel.ts';
import type { Delivery } from '../stores/delivery-store.ts';
import type { Stores } from '../stores/stores.ts';
import { messageOf } from '../task/errors.ts';
import { type AttemptDeps, attempt } from './attempt.ts';
import { type Loop, startLoop } from './loop.ts';
import { createSignal } from './signal.ts';

/** How often a worker looks without a hint, in milliseconds. */
const SAFETY_POLL_MS = 30_000;

export interface WorkerDeps extends AttemptDeps {
  stores: Pick<Stores, 'tasks' | 'repos' | 'deliveries'>;
  /** Who claims; different in every process. */
  owner: string;
  /** How long a claim holds: longer than any attempt takes. */
  leaseMs: number;
  /** How long a stop waits for deliveries under way; what is not done then is found again by its claim. */
  finishMs: number;
}

/** Takes the channel's due deliveries, as many at once as it may, and settles each by itself. */
export function startChannelWorker(deps: WorkerDeps, channel: Channel): Loop {
  const { stores, owner, leaseMs, log, now } = deps;
  const { deliveries } = stores;
  const signal = createSignal();
  const underWay = new Set<Promise<void>>();

  async function handle(delivery: Delivery, isStopped: () => boolean): Promise<void> {
    try {
      const result = await attempt(deps, channel, delivery);
      if (!(await deliveries.settle(delivery, result)))
        log.warn(
          { event: 'fanout.delivery.claim_lost', delivery_id: delivery.delivery_id, result: result.kind },
          'a claim ran out before its delivery ended',
        );
    } catch (error) {
      // The ledger can't be written: the claim runs out, and the delivery is found again.
      if (!isStopped())
        log.error(
          {
            event: 'fanout.delivery.unsettled',
            error_id: 'FANOUT_DELIVERY_UNSETTLED',
            delivery_id: delivery.delivery_id,
            error: messageOf(error),
          },
          'the end of a delivery could not be written',
        );
    }
  }

  async function takeDue(isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      const limit = channel.concurrency - underWay.size;
      const claimed =
        limit > 0 ? await deliveries.claim({ channel: channel.name, owner, leaseMs, limit }) : [];
      for (const delivery of claimed) {
        const work = handle(delivery, isStopped).finally(() => {
          underWay.delete(work);
          signal.raise();
        });
        underWay.add(work);
      }
      if (claimed.length > 0 && claimed.length === limit) continue;
      // Without room the end of a delivery wakes; with room, whatever is due next.
      const due = limit > 0 ? await deliveries.nextDue(channel.name) : null;
      await signal.wait(Math.min(SAFETY_POLL_MS, due === null ? SAFETY_POLL_MS : due - now()));
    }
  }

  const loop = startLoop({
    signal,
    subscribe: deliveries.subscribe,
    work: takeDue,
    failed: (error) =>
      log.error(
        {
          event: 'fanout.worker.failed',
          error_id: 'FANOUT_WORKER_FAILED',
          channel: channel.name,
          error: messageOf(error),
        },
        'deliveries could not be claimed; trying again',
      ),
  });
  return {
    async stop() {
      await loop.stop();
      let timer: NodeJS.Timeout | undefined;
      const elapsed = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deps.finishMs);
      });
      await Promise.race([Promise.all(underWay), elapsed]);
      clearTimeout(timer);
    },
  };
}
