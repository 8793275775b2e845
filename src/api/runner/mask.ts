import type { NewEvent } from '../../task/events.ts';
import type { OutcomeReport } from '../../task/protocol.ts';

/** Hides values of the secret store. */
export interface TextMask {
  text(text: string): string;
  /** Keeps the number of bytes. */
  sameLength(text: string): string;
}

/**
 * What a runner tells without values of the secret store. The runner has hidden what it knows; these it was never given, so that
 * only the platform can tell them.
 */
export const maskEvent = (event: NewEvent, { text }: TextMask): NewEvent => deep(event, text);

/** What people and programs wrote; names of branches and commits must stay what they are. */
export const maskOutcome = (outcome: OutcomeReport, { text }: TextMask): OutcomeReport => ({
  ...outcome,
  // No longer than before: there are limits, and a mask may be longer than what it hides.
  summary: outcome.summary && text(outcome.summary).slice(0, outcome.summary.length),
  diff: outcome.diff && text(outcome.diff),
  error: outcome.error && {
    ...outcome.error,
    message: text(outcome.error.message).slice(0, outcome.error.message.length),
  },
  verification: outcome.verification && deep(outcome.verification, text),
});

/** Every text in it changed; the types stay. */
function deep<T>(value: T, text: TextMask['text']): T;
function deep(value: unknown, text: TextMask['text']): unknown {
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return value.map((item) => deep(item, text));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, deep(item, text)]));
}
