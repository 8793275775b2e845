import { BgAgentError } from '../task/errors.ts';
import type { Page } from '../task/page.ts';

/** Opaque page tokens: the name of the list and the last position read, in base64url. */

export const pageToken = (list: string, position: string): string =>
  Buffer.from(`${list}:${position}`).toString('base64url');

/** The position in a token, or `first` without one. Throws VALIDATION_ERROR when it isn't a token of this list. */
export function pagePosition(list: string, token: string | undefined, first: string): string {
  if (token === undefined) return first;
  const text = Buffer.from(token, 'base64url').toString();
  const position = text.slice(list.length + 1);
  if (position === '' || pageToken(list, position) !== token) throw invalidToken();
  return position;
}

export const invalidToken = (): BgAgentError =>
  new BgAgentError(
    'VALIDATION_ERROR',
    'next_token: not a token of this list; send the one of the page before, or none for the first page',
    { field: 'next_token' },
  );

/** A page out of up to `limit + 1` items that were read. */
export function toPage<T>(items: T[], limit: number, tokenOf: (last: T) => string): Page<T> {
  const last = items[limit - 1];
  if (items.length <= limit || last === undefined) return { items, nextToken: null };
  return { items: items.slice(0, limit), nextToken: tokenOf(last) };
}
