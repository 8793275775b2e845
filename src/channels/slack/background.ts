import { BgAgentError, messageOf } from '../../task/errors.ts';
import type { Log } from '../../task/log.ts';

/** Work for which Slack waits no longer than three seconds. */
export interface Background {
  /**
   * Starts the work and waits a moment for it: `later` = it goes on by itself, and its result goes to `late`; `failed` = it threw,
   * which is logged.
   * Throws SERVICE_UNAVAILABLE when too much is under way already; Slack comes back.
   */
  start<T>(name: string, work: () => Promise<T>, late?: (value: T) => Promise<void>): Promise<Started<T>>;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
}

export type Started<T> = { kind: 'done'; value: T } | { kind: 'later' | 'failed' };

const MOMENT_MS = 1_500;
const MOST = 500;

export function createBackground({
  log,
  momentMs = MOMENT_MS,
}: {
  log: Log;
  /** Default 1,500. */
  momentMs?: number;
}): Background {
  const underWay = new Set<Promise<unknown>>();
  return {
    async start<T>(
      name: string,
      work: () => Promise<T>,
      late?: (value: T) => Promise<void>,
    ): Promise<Started<T>> {
      let isLate = false;
      const finish = async (): Promise<Started<T>> => {
        const value = await work();
        if (isLate) await late?.(value);
        return { kind: 'done', value };
      };
      if (underWay.size >= MOST)
        throw new BgAgentError('SERVICE_UNAVAILABLE', 'too many requests from Slack are under way', {
          retryAfterSeconds: 5,
        });
      const running = finish().catch((error: unknown): Started<T> => {
        log.error(
          {
            event: 'slack.inbox.failed',
            error_id: 'SLACK_INBOX_FAILED',
            work: name,
            error: messageOf(error),
          },
          'what someone asked for in Slack failed',
        );
        return { kind: 'failed' };
      });
      underWay.add(running);
      void running.finally(() => underWay.delete(running));
      let timer: NodeJS.Timeout | undefined;
      const elapsed = new Promise<Started<T>>((resolve) => {
        timer = setTimeout(() => {
          isLate = true;
          resolve({ kind: 'later' });
        }, momentMs);
      });
      const started = await Promise.race([running, elapsed]);
      clearTimeout(timer);
      return started;
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}
