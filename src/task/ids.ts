import { encodeTime, incrementBase32, ulid } from 'ulid';

/** 26 characters of Crockford base 32, upper case; the first is 0–7 (48 bits of milliseconds, 80 of randomness). */
const ULID_PATTERN = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export const isUlid = (text: string): boolean => ULID_PATTERN.test(text);

/**
 * Ids that never go backwards, even when the clock does: each is greater than the one before and than `after`.
 * With `after` = the greatest id in the store, a cursor over stored ids misses nothing after a restart.
 */
export function createIdSource(now: () => number, after = ''): () => string {
  let last = after;
  return () => {
    const fresh = ulid(now());
    last = fresh > last ? fresh : incrementBase32(last);
    return last;
  };
}

/** Milliseconds since the epoch in an id's first ten characters. */
export { decodeTime as timeOfId } from 'ulid';

/** Not greater than any id that is made at this time (milliseconds since 1970) or later. */
export const earliestId = (timeMs: number): string => encodeTime(timeMs, 10).padEnd(26, '0');
