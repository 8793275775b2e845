import { stripVTControlCharacters } from 'node:util';

/**
 * Text that others wrote (agents, repositories, commit messages) must not drive the terminal: colour and cursor
 * sequences go, what is left of control characters is shown as a visible picture, and marks that reorder text go.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this file is about.
const CONTROLS = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g;
const REORDERING = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/** For one line of a table or message: line ends become spaces. */
export const cleanLine = (text: string): string =>
  cleanText(text)
    .replace(/[\n\t\u2028\u2029]+/g, ' ')
    .trim();

/** For text of several lines: line ends and tabs stay. */
export function cleanText(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\r\n?/g, '\n')
    .replace(REORDERING, '')
    .replace(CONTROLS, picture);
}

/** U+2400 and on are pictures of the control characters: ESC becomes ␛. */
function picture(control: string): string {
  const code = control.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '\u2421' : '\uFFFD';
}

/** A word as a POSIX shell takes it literally, for commands that people copy. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
