import type { GatewayLogEntry } from './gateway.ts';
import { LimitReached } from './ledger.ts';
import { NetworkFailure } from './upstreams/upstream.ts';

/** What is said instead of an answer. */
export class Refusal extends Error {
  readonly status: number;
  /** It may pass. */
  readonly passing: boolean;
  constructor(status: number, message: string, { passing = false } = {}) {
    super(message);
    this.passing = passing;
    this.name = 'Refusal';
    this.status = status;
  }
}

/** How a failure is told. */
export interface Verdict {
  status: number;
  text: string;
  headers?: Readonly<Record<string, string>>;
  entry: GatewayLogEntry;
}

/** Clients don't repeat it then. */
const FINAL = { 'x-should-retry': 'false' };

/** `why` is the error's message, fit to be seen. */
export function verdictOn(error: unknown, why: string): Verdict {
  if (error instanceof LimitReached)
    return {
      // Claude Code repeats a 400 in other forms, and takes a 403 for a matter of its key.
      status: 402,
      text: why,
      headers: FINAL,
      entry: { event: 'gateway.limit', reason: error.reason },
    };
  if (error instanceof Refusal) {
    const { status } = error;
    // The rest of a body that isn't wanted isn't read.
    const headers = {
      ...(error.passing ? { 'retry-after': '1' } : FINAL),
      ...(error.passing || status === 413 ? { connection: 'close' } : {}),
    };
    return { status, text: why, headers, entry: { event: 'gateway.refused', status, why } };
  }
  const entry = { event: 'gateway.failed', why };
  if (error instanceof NetworkFailure)
    return { status: 502, text: `the model provider can not be reached: ${why}`, entry };
  return { status: 500, text: `the model gateway failed: ${why}`, entry };
}
