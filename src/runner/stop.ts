/** Why a run is ended before the agent has finished. The first reason counts. */
export type StopReason =
  /** Someone asked for it, by the platform's reply or by a signal. */
  | { kind: 'cancelled' }
  /** The deadline of the payload has come. */
  | { kind: 'timed-out' }
  /** A newer attempt has taken over: leave without a trace. */
  | { kind: 'unwanted'; message: string }
  /** The workspace is over its limit. */
  | { kind: 'quota'; message: string }
  /** The agent's processes are too many, or take too much memory. */
  | { kind: 'resources'; message: string }
  /** The agent has had all the model calls, or all the money, that it may have. */
  | { kind: 'turn-limit'; message: string }
  | { kind: 'budget'; message: string };

class StoppedError extends Error {
  override readonly name = 'StoppedError';
  readonly reason: StopReason;

  constructor(reason: StopReason) {
    super(`stopped: ${reason.kind}`);
    this.reason = reason;
  }
}

export interface Stop {
  /** Aborts with a StoppedError. */
  readonly signal: AbortSignal;
  readonly reason: StopReason | undefined;
  now(reason: StopReason): void;
}

export function createStop(): Stop {
  const controller = new AbortController();
  let first: StopReason | undefined;
  return {
    signal: controller.signal,
    get reason() {
      return first;
    },
    now(reason) {
      // Being unwanted outranks the rest: nothing may be pushed or told any more.
      if (first && reason.kind !== 'unwanted') return;
      first = reason;
      controller.abort(new StoppedError(reason));
    },
  };
}
