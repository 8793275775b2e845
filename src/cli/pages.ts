interface Page<T> {
  data: T[];
  pagination: { next_token: string | null };
}

const LARGEST_PAGE = 100;

/** Items of a list, page by page, until there are `limit` of them or no more. */
export async function collect<T>(
  read: (page: { limit: number; next_token?: string }) => Promise<Page<T>>,
  limit = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const items: T[] = [];
  let token: string | null = null;
  do {
    const room = Math.min(LARGEST_PAGE, limit - items.length);
    const page: Page<T> = await read({ limit: room, ...(token === null ? {} : { next_token: token }) });
    items.push(...page.data);
    token = page.pagination.next_token;
  } while (token !== null && items.length < limit);
  return items;
}
