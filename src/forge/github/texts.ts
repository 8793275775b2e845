/** Texts from and for GitHub: bounded, and marked with the task that wrote them. */

/** GitHub takes 65,536; the rest is room for what is added. */
const MAX_TEXT = 60_000;
const MAX_TITLE = 256;

/** At most `max` characters, and says at its end how many went. Never half of a character. */
export function cutText(text: string, max = MAX_TEXT): string {
  if (text.length <= max) return text;
  const end = isHighSurrogate(text.charCodeAt(max - 1)) ? max - 1 : max;
  return `${text.slice(0, end)}\n\n[… ${(text.length - end).toLocaleString('en')} more characters were cut]`;
}

const isHighSurrogate = (code: number): boolean => code >= 0xd8_00 && code <= 0xdb_ff;

/** One line. */
export function titleOf(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  if (line.length <= MAX_TITLE) return line;
  const end = isHighSurrogate(line.charCodeAt(MAX_TITLE - 2)) ? MAX_TITLE - 2 : MAX_TITLE - 1;
  return `${line.slice(0, end)}…`;
}

/** By this the platform finds what it wrote for a task. Invisible on the page. */
const markerOf = (taskId: string): string => `<!-- bgagent:task-id=${taskId} -->`;

/** The text with the marker at its end, once. */
export const withMarker = (taskId: string, text: string): string =>
  `${cutText(text.replaceAll(markerOf(taskId), '').trimEnd())}\n\n${markerOf(taskId)}`;

export const hasMarker = (taskId: string, text: string | null | undefined): boolean =>
  text?.includes(markerOf(taskId)) ?? false;
