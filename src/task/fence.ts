/** Every mark by which a prompt tells one text of others from another. */
const MARKS = [
  'task',
  'message',
  'repository-guidance',
  'check-output',
  'forge-issue',
  'forge-pull-request',
  'forge-files',
  'forge-comment',
  'forge-review',
  'forge-thread',
] as const;
export type Mark = (typeof MARKS)[number];

/**
 * Text that others wrote, in a prompt: between marks that it can't end or begin itself, whatever it holds; nor can it begin
 * another's. `attributes` say where it is from; they are shown, so they're made harmless, too.
 */
export function fence(mark: Mark, text: string, attributes: Readonly<Record<string, string>> = {}): string {
  const said = Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${value.slice(0, 200).replace(/[<>"&\p{Cc}]/gu, '_')}"`)
    .join('');
  return `<${mark}${said}>\n${text.replace(ANY_MARK, '&lt;')}\n</${mark}>`;
}

/**
 * The beginning of a mark, also with what a reader would overlook: spaces, and characters that don't show. One run of them,
 * not two: a text of spaces must not take the square of its length.
 */
const ANY_MARK = new RegExp(
  `<(?=[\\s\\p{Cf}/]*(?:${MARKS.map((mark) => [...mark].join('\\p{Cf}*')).join('|')})(?![\\w-]))`,
  'giu',
);
