/** Characters of a title; longer ones are no title. */
const TITLE_LENGTH = 72;

/**
 * What an agent calls its work: the heading that its summary begins with. Null when it begins otherwise, or with more than a
 * title has. `rest` is the summary without it.
 */
export function workTitle(summary: string | null): { title: string | null; rest: string } {
  const text = summary?.trim() ?? '';
  const [line = ''] = text.split('\n', 1);
  const title = /^#{1,3}\s+(.+?)\s*#*$/
    .exec(line.trim())?.[1]
    ?.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim();
  if (!title || title.length > TITLE_LENGTH) return { title: null, rest: text };
  return { title, rest: text.slice(line.length).trim() };
}
