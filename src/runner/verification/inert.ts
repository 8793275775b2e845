/** How a command ended. */
export interface CommandEnd {
  code: number | null;
  timedOut: boolean;
  /** The end of what it printed, secrets redacted. */
  tail: string;
}

/**
 * Why a command has verified nothing, whatever its exit code; undefined when it has. A check that isn't there must not look like
 * one that passed, nor like work that broke something.
 */
export function inertReason({ code, timedOut, tail }: CommandEnd): string | undefined {
  if (timedOut) return undefined;
  if (code === 127) return 'the command was not found';
  if (code === 126) return 'the command can not be executed';
  const found = (code === 0 ? NOTHING_DONE : [...NOT_THERE, ...NOTHING_DONE]).find(
    ({ pattern, unless }) => pattern.test(tail) && !unless?.test(tail),
  );
  return found?.reason;
}

interface Sign {
  pattern: RegExp;
  /** A sign of the contrary: parts of a larger run may well be empty. */
  unless?: RegExp;
  reason: string;
}

/** What tools say, with a failing exit code, of a target that doesn't exist. */
const NOT_THERE: readonly Sign[] = [
  { pattern: /\bmissing script:/i, reason: 'package.json has no such script' },
  {
    pattern: /ERR_PNPM_NO_SCRIPT|error Command "[^"\n]*" not found\.|Couldn't find a script named/,
    reason: 'package.json has no such script',
  },
  { pattern: /error: Script not found "/, reason: 'package.json has no such script' },
  {
    pattern: /npm (?:ERR!|error).*(?:ENOENT|enoent)[^\n]*package\.json|ERR_PNPM_NO_IMPORTER_MANIFEST_FOUND/,
    reason: 'there is no package.json',
  },
  { pattern: /Error: no test specified/, reason: 'the test script is the one that `npm init` writes' },
  {
    pattern:
      /make: \*\*\* No rule to make target [`'][^'\n]*'\.\s+Stop|make: \*\*\* No targets specified and no makefile found/,
    reason: 'the Makefile has no such target',
  },
  { pattern: /error: could not find `Cargo\.toml`/, reason: 'there is no Cargo.toml' },
  { pattern: /go: go\.mod file not found|go: cannot find main module/, reason: 'there is no go.mod' },
];

/** What tools say when they had nothing to do, some with exit code 0. */
const NOTHING_DONE: readonly Sign[] = [
  {
    pattern: /^no tests? (?:files? )?found\b/im,
    unless: /\b[1-9]\d* (?:passed|failed)\b/,
    reason: 'no tests were found',
  },
  {
    pattern: /\bno tests ran\b|\bNO TESTS RAN\b|collected 0 items/,
    unless: /\b[1-9]\d* (?:passed|failed|error)/,
    reason: 'no tests were found',
  },
  { pattern: /^Ran 0 tests\b/m, reason: 'no tests were found' },
  { pattern: /^(?:#|ℹ) tests 0$/m, unless: /^(?:#|ℹ) tests [1-9]/m, reason: 'no tests were found' },
  { pattern: /\[no test files\]/, unless: /^(?:ok|FAIL|---)\s/m, reason: 'no tests were found' },
  { pattern: /^running 0 tests$/m, unless: /^running [1-9]\d* tests?$/m, reason: 'no tests were found' },
  { pattern: /^\s*0 passing\b/m, unless: /\b[1-9]\d* failing\b/, reason: 'no tests were found' },
  { pattern: /^No tests executed!/m, reason: 'no tests were found' },
];
