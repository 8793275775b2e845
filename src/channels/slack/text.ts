/** Text from outside, made harmless in Slack's mrkdwn. */

/** Everything that is no text: controls but line ends and tabs, direction marks, what is invisible. */
const UNPRINTABLE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;

/**
 * Cut to `max` characters with a mark, and escaped: `<!channel>`, `<@U1>` and `<https://x|y>` are shown as they are written.
 * Escaping may make it longer; Slack counts what people see.
 */
export const safeText = (text: string, max: number): string => escapeText(cut(text, max));

/** One line of such text. */
export const safeLine = (text: string, max: number): string =>
  escapeText(cut(text.replace(/\s+/g, ' ').trim(), max));

/** Such text without its empty lines. */
export const safeLines = (text: string, max: number): string =>
  escapeText(
    cut(
      text
        .split('\n')
        .filter((line) => line.trim() !== '')
        .join('\n'),
      max,
    ),
  );

/** In `code`: a back quote would end it. */
export const code = (text: string, max: number): string => `\`${safeLine(text.replaceAll('`', "'"), max)}\``;

function cut(text: string, max: number): string {
  const clean = text.replace(UNPRINTABLE, '').trim();
  const characters = Array.from(clean.slice(0, max * 2 + 2));
  return characters.length > max
    ? `${characters
        .slice(0, max - 1)
        .join('')
        .trimEnd()}…`
    : clean;
}

const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A link to show, when it is one that a browser may follow. */
export function safeUrl(url: string | null): string | undefined {
  const parsed = url === null ? null : URL.parse(url);
  return parsed && /^https?:$/.test(parsed.protocol) && parsed.href.length <= 3_000 ? parsed.href : undefined;
}
