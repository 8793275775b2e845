import type { Comment } from '../collaboration.ts';
import { cutText } from './texts.ts';

/** Lists that may be long: the newest count, and how many were left out is said. */

const PAGE = 100;
const MAX_ITEMS = 300;
const MAX_CHARACTERS = 1_000_000;

export interface Newest<T> {
  /** Oldest first. */
  items: T[];
  omitted: number;
}

interface Page<T> {
  data: T[];
  headers: { link?: string | undefined };
}

/** The newest of a list that GitHub gives oldest first: its last pages. */
export async function newestOf<T>(
  ask: (page: { per_page: number; page: number }) => Promise<Page<T>>,
  max = MAX_ITEMS,
): Promise<Newest<T>> {
  const first = await ask({ per_page: PAGE, page: 1 });
  const last = Number(/[?&]page=(\d+)[^>]*>; rel="last"/.exec(first.headers.link ?? '')?.[1] ?? 1);
  if (last === 1) return newestWithin(first.data, max, first.data.length);
  let items: T[] = [];
  let onLast = 0;
  for (let page = last; page >= 1 && items.length < max; page -= 1) {
    const { data } = page === 1 ? first : await ask({ per_page: PAGE, page });
    if (page === last) onLast = data.length;
    items = [...data, ...items];
  }
  return newestWithin(items, max, (last - 1) * PAGE + onLast);
}

const newestWithin = <T>(items: T[], max: number, total: number): Newest<T> => {
  const kept = items.slice(-max);
  return { items: kept, omitted: Math.max(total - kept.length, 0) };
};

export interface RawComment {
  user: { login: string } | null;
  body?: string | null | undefined;
  created_at: string;
}

export const commentOf = ({ user, body, created_at }: RawComment): Comment => ({
  author: user?.login ?? 'ghost',
  body: cutText(body ?? ''),
  createdAt: created_at,
});

/** Bounds what all texts together hold; the oldest go first. */
export function boundTexts<T extends { body: string }>(items: readonly T[]): Newest<T> {
  let room = MAX_CHARACTERS;
  const kept: T[] = [];
  for (const item of items.toReversed()) {
    room -= item.body.length;
    if (room < 0) break;
    kept.unshift(item);
  }
  return { items: kept, omitted: items.length - kept.length };
}
