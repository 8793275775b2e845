import type { Nudge, NudgeSource } from './agents/agent.ts';
import type { Reporter } from './reporter.ts';

/** Nudges between the platform, which repeats each until it's settled, and the agent, which hears each once. */
export interface Nudges extends NudgeSource {
  /** Those of a reply. */
  offer(nudges: readonly Nudge[]): void;
  /** What nobody has taken can't be told any more. */
  refuseRest(reason: string): void;
}

/** Each is settled by its event: that is what the platform hears, as often as it takes. */
export function createNudges({ reporter }: { reporter: Pick<Reporter, 'event'> }): Nudges {
  /** Ids that were offered before, whatever has become of them. */
  const known = new Set<string>();
  const waiting = new Map<string, Nudge>();
  let taker: ((nudge: Nudge) => void) | undefined;
  let ended: string | undefined;

  function settle(nudgeId: string, tell: () => void): void {
    if (waiting.delete(nudgeId)) tell();
  }
  const refused = (nudgeId: string, reason: string): void =>
    settle(nudgeId, () => reporter.event('nudge_refused', { nudge_id: nudgeId, reason }));

  return {
    refused,
    delivered: (nudgeId, how) =>
      settle(nudgeId, () => reporter.event('nudge_delivered', { nudge_id: nudgeId, how })),
    listen(take) {
      taker = take;
      for (const nudge of [...waiting.values()]) take(nudge);
      return () => {
        if (taker === take) taker = undefined;
      };
    },
    offer(nudges) {
      for (const nudge of nudges) {
        if (known.has(nudge.nudge_id)) continue;
        known.add(nudge.nudge_id);
        waiting.set(nudge.nudge_id, nudge);
        if (ended !== undefined) refused(nudge.nudge_id, ended);
        else taker?.(nudge);
      }
    },
    refuseRest(reason) {
      ended = reason;
      for (const nudgeId of [...waiting.keys()]) refused(nudgeId, reason);
    },
  };
}
