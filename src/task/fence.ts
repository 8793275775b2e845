/**
 * Text that others wrote, in a prompt: between marks that it can't end or begin itself, whatever it holds. `source` says where it
 * is from; it's shown, so it's made harmless, too.
 */
export function fence(mark: string, text: string, attributes: Readonly<Record<string, string>> = {}): string {
  const said = Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${value.replace(/[<>"&\p{Cc}]/gu, '_')}"`)
    .join('');
  return `<${mark}${said}>\n${text.replace(marksOf(mark), '&lt;')}\n</${mark}>`;
}

/** The beginning of a mark, also with what a reader would overlook: spaces, and characters that don't show. */
const marksOf = (mark: string): RegExp => {
  const unseen = '[\\s\\p{Cf}]*';
  return new RegExp(`<(?=${unseen}\\/?${unseen}${[...mark].join('\\p{Cf}*')}(?![\\w-]))`, 'giu');
};
