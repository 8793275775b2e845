/** Text from outside, made harmless in mail. */

/** Controls (line ends and tabs too, unless kept), direction marks, what is invisible. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;
const UNPRINTABLE_BUT_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;

/** One line of at most `max` characters: fit for a header. */
export const headerText = (text: string, max: number): string =>
  cut(text.replace(/\s+/g, ' ').replace(UNPRINTABLE, '').trim(), max);

/** Lines of at most `max` characters together. */
export const bodyText = (text: string, max: number): string =>
  cut(text.replaceAll('\r\n', '\n').replace(UNPRINTABLE_BUT_LINES, '').trim(), max);

export const escapeHtml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

/** A link to show, when it is one that a browser may follow. */
export function safeUrl(url: string | null): string | undefined {
  const parsed = url === null ? null : URL.parse(url);
  return parsed && /^https?:$/.test(parsed.protocol) ? parsed.href : undefined;
}

function cut(text: string, max: number): string {
  const characters = Array.from(text.slice(0, max * 2 + 2));
  return characters.length > max
    ? `${characters
        .slice(0, max - 1)
        .join('')
        .trimEnd()}…`
    : text;
}
