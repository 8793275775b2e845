import { BgAgentError } from '../task/errors.ts';

/** What every blob store enforces of keys and offsets. */

/** No `..`, no hidden name, nothing that a file system, a shell or a URL reads in another way. */
const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._:@=+-]{0,199}$/;
const MAX_KEY_LENGTH = 800;

/** The names between a key's slashes. Throws VALIDATION_ERROR. */
export function segmentsOf(key: string): string[] {
  if (key.length > MAX_KEY_LENGTH) throw invalidKey(`at most ${MAX_KEY_LENGTH} characters`);
  const segments = key.split('/');
  if (!segments.every((segment) => SEGMENT.test(segment)))
    throw invalidKey(
      'names of letters, digits and ._:@=+- between slashes, each starting with a letter or digit',
    );
  return segments;
}

/** The names of a prefix, which ends in a slash. Throws VALIDATION_ERROR. */
export function segmentsOfPrefix(prefix: string): string[] {
  if (!prefix.endsWith('/')) throw invalidKey('a prefix must end in a slash');
  return segmentsOf(prefix.slice(0, -1));
}

const invalidKey = (rule: string): BgAgentError =>
  new BgAgentError('VALIDATION_ERROR', `key: ${rule}`, { field: 'key' });

/** Throws VALIDATION_ERROR unless it is a number of bytes. */
export function checkOffset(offset: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0)
    throw new BgAgentError('VALIDATION_ERROR', 'offset: must be a whole number of bytes, 0 or more', {
      field: 'offset',
    });
}
