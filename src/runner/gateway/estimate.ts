import { NO_TOKENS, type Tokens } from './tokens.ts';

/** English and code; for what a provider has read but not counted. */
const BYTES_PER_TOKEN = 4;
/** On the low side, so that what was written is rather charged too high than too low. */
const WRITTEN_PER_TOKEN = 3;
/** Thinking may go on unseen; about what a large model writes. */
const TOKENS_PER_SECOND = 60;

export interface Seen {
  /** As far as the provider told. */
  tokens: Tokens | null;
  requestBytes: number;
  /** Characters of the model that came through. */
  written: number;
  /** From the head of the answer to the last byte of it. */
  streamedMs: number;
  maxOutputTokens: number;
}

/** What a call comes to whose usage the provider didn't get to tell. */
export function estimate({ tokens, requestBytes, written, streamedMs, maxOutputTokens }: Seen): Tokens {
  const seen = Math.max(written / WRITTEN_PER_TOKEN, (streamedMs / 1_000) * TOKENS_PER_SECOND);
  const known = tokens ?? { ...NO_TOKENS, input: Math.ceil(requestBytes / BYTES_PER_TOKEN) };
  return { ...known, output: Math.max(known.output, Math.min(Math.ceil(seen), maxOutputTokens)) };
}
