import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';

/** Parsers of option values; what they throw is told as bad usage, with the option's name. */

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}

/** A JSON object. */
export function json(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Told below, like everything that is no object.
  }
  throw new InvalidArgumentError('It must be a JSON object.');
}

/** For options that may be given several times or hold a list: `a,b` and `--x a --x b` are the same. */
export const list = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean),
];

/** A repository as the platform names it: a path becomes absolute, everything else stays. */
export function repository(text: string): string {
  // An unset variable of a script must not become the folder that one stands in.
  if (text.trim() === '') throw new InvalidArgumentError('It must not be empty.');
  return /^\.{0,2}(\/|$)/.test(text) ? resolve(text) : text;
}
