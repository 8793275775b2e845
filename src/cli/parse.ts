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

/** For options that may be given several times or hold a list: `a,b` and `--x a --x b` are the same. */
export const list = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean),
];

/** `30d`, `12h`, `45m` from now as ISO 8601; or an ISO 8601 time itself. */
export function momentAhead(text: string, now: number): string {
  const [, amount, unit] = /^(\d{1,5})([dhm])$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) {
    const minutes = { d: 1_440, h: 60, m: 1 }[unit as 'd' | 'h' | 'm'];
    return new Date(now + Number(amount) * minutes * 60_000).toISOString();
  }
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new InvalidArgumentError('It must be like 30d, 12h, 45m, or a time like 2030-01-31.');
  return new Date(at).toISOString();
}

/** A repository as the platform names it: a path becomes absolute, everything else stays. */
export const repository = (text: string): string => (/^\.{0,2}(\/|$)/.test(text) ? resolve(text) : text);
