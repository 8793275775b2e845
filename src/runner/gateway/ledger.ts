import type { CallUsage, GatewayOptions, GatewayUsage, LimitReason } from './gateway.ts';
import type { ModelPrice } from './prices.ts';
import { costOf, inputOf, type Tokens } from './tokens.ts';

/** Why a call is refused for good. `message` is for the agent. */
export class LimitReached extends Error {
  readonly reason: LimitReason;
  constructor(reason: LimitReason, message: string) {
    super(message);
    this.name = 'LimitReached';
    this.reason = reason;
  }
}

export interface Ledger {
  /**
   * Lets a call through, or throws LimitReached. While calls in flight could still use up the budget it waits for them: so whatever
   * they come to, at most one call goes over the cap.
   */
  admit(call: PlannedCall, signal: AbortSignal): Promise<Ticket>;
  usage(): GatewayUsage;
}

export interface PlannedCall {
  model: string;
  price: ModelPrice;
  /** A call of the main model. */
  turn: boolean;
  /** The most that it can cost. */
  worstCostUsd: number;
}

/** One call that was let through. */
export interface Ticket {
  /** The most that it can cost, now that more is known. */
  expect(worstCostUsd: number): void;
  /** The end of the call, once. `tokens` null: it cost nothing. An unanswered call is no turn. */
  settle(result: { tokens: Tokens | null; answered: boolean; estimated: boolean }): void;
}

export function createLedger({
  limits,
  onUsage,
  onLimit,
}: Pick<GatewayOptions, 'limits' | 'onUsage' | 'onLimit'>): Ledger {
  const totals: GatewayUsage = {
    costUsd: 0,
    inputTokens: 0,
    outputTokens: 0,
    turnsAttempted: 0,
    turns: 0,
    calls: 0,
  };
  const reserved = new Map<Ticket, number>();
  let turnsInFlight = 0;
  let limitTold = false;
  let changed = Promise.withResolvers<void>();

  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const refuse = (reason: LimitReason, message: string): never => {
    if (!limitTold) onLimit?.(reason, message);
    limitTold = true;
    throw new LimitReached(reason, message);
  };
  /** Whether the call may go now; throws when it never may. */
  const mayGo = (turn: boolean): boolean => {
    // Read anew: they may have been narrowed meanwhile.
    const { maxTurns } = limits;
    const budget = limits.maxBudgetUsd ?? Number.POSITIVE_INFINITY;
    if (totals.costUsd >= budget) refuse('budget', budgetMessage(totals.costUsd, budget));
    if (turn && totals.turns >= maxTurns) refuse('turn_limit', turnMessage(totals.turns, maxTurns));
    if (turn && totals.turns + turnsInFlight >= maxTurns) return false;
    let inFlight = 0;
    for (const usd of reserved.values()) inFlight += usd;
    return totals.costUsd + inFlight < budget;
  };
  const book = ({ model, price }: PlannedCall, tokens: Tokens, estimated: boolean): void => {
    const call: CallUsage = {
      model,
      costUsd: costOf(tokens, price),
      inputTokens: inputOf(tokens),
      outputTokens: tokens.output,
      cacheWriteTokens: tokens.cacheWrite + tokens.cacheWrite1h,
      cacheReadTokens: tokens.cacheRead,
      estimated,
    };
    totals.costUsd += call.costUsd;
    totals.inputTokens += call.inputTokens;
    totals.outputTokens += call.outputTokens;
    onUsage?.({ ...totals }, call);
  };

  return {
    async admit(call, signal) {
      while (!mayGo(call.turn)) await untilAborted(changed.promise, signal);
      signal.throwIfAborted();
      totals.calls += 1;
      if (call.turn) {
        totals.turnsAttempted += 1;
        turnsInFlight += 1;
      }
      const ticket: Ticket = {
        expect(worstCostUsd) {
          if (!reserved.has(ticket)) return;
          reserved.set(ticket, worstCostUsd);
          wake();
        },
        settle({ tokens, answered, estimated }) {
          if (!reserved.delete(ticket)) return;
          if (call.turn) turnsInFlight -= 1;
          if (call.turn && answered) totals.turns += 1;
          if (tokens) book(call, tokens, estimated);
          wake();
        },
      };
      reserved.set(ticket, call.worstCostUsd);
      return ticket;
    },
    usage: () => ({ ...totals }),
  };
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

const END =
  'No further model call is possible, and trying again does not help. What is in the work tree is kept.';

const budgetMessage = (spent: number, budget: number): string =>
  `The budget of this task is used up: $${spent.toFixed(2)} of $${budget.toFixed(2)}. ${END}`;

const turnMessage = (turns: number, most: number): string =>
  `The turn limit of this task is reached: ${turns} of ${most}. ${END}`;
