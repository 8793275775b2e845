import { outsideCode, withoutHtmlComments } from '../../task/markdown.ts';

/** Stands between two characters without being seen. */
const UNSEEN = '\u200b';

/**
 * What an agent says, as Markdown that does nothing but be read: it calls no one (`@name`), closes no issue (`fixes #1`), hides
 * nothing in HTML comments, where markers are, and loads no picture from elsewhere. Code stays as it is.
 */
export const prose = (text: string): string =>
  outsideCode(text, (part) => harmless(withoutHtmlComments(part)));

const harmless = (text: string): string =>
  text
    .replaceAll('<!--', `<${UNSEEN}!--`)
    .replace(/@(?=[a-z0-9])/gi, `@${UNSEEN}`)
    .replace(
      /\b(clos(?:e|es|ed)|fix(?:es|ed)?|resolv(?:e|es|ed))(:?\s+)(?=#|https?:|[\w.-]+\/[\w.-]+#)/gi,
      `$1${UNSEEN}$2${UNSEEN}`,
    )
    .replace(/!\[/g, `!${UNSEEN}[`)
    .replace(/<img\b/gi, `<${UNSEEN}img`);

/** One line for a cell of a table, or after a bullet. */
export const cell = (text: string): string => prose(text).replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();

/** Text quoted as others wrote it, at most so many characters of it. */
export function quote(text: string, length: number): string {
  const shown = text.length <= length ? text : `${text.slice(0, length)} […]`;
  return prose(shown.trim())
    .split('\n')
    .map((line) => `> ${line}`.trimEnd())
    .join('\n');
}
