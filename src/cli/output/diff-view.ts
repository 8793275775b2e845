import type { Style } from './style.ts';
import { cleanText } from './untrusted.ts';

/** A unified diff for people at a terminal: coloured, and safe to print. */
export const diffView = (diff: string, style: Style): string =>
  cleanText(diff)
    .split('\n')
    .map((line) => paintOf(line, style)(line))
    .join('\n');

function paintOf(line: string, style: Style): (text: string) => string {
  if (/^(diff |index |--- |\+\+\+ |new file |deleted file |similarity |rename )/.test(line))
    return style.bold;
  if (line.startsWith('@@')) return style.accent;
  if (line.startsWith('+')) return style.good;
  if (line.startsWith('-')) return style.bad;
  return (text) => text;
}
