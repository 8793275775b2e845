import { describe, expect, it } from 'vitest';
import { inertReason } from './inert.ts';

const end = (code: number | null, tail: string, timedOut = false) => ({ code, timedOut, tail });

describe('a check that verifies nothing', () => {
  it.each([
    ['a command that is not there', 127, 'sh: 1: tsc: not found'],
    ['a file that can not be executed', 126, 'sh: 1: ./build.sh: Permission denied'],
    ['npm without the script', 1, 'npm error Missing script: "build"\nnpm error\nnpm error To see a list'],
    ['old npm without the script', 1, 'npm ERR! missing script: lint'],
    ['pnpm without the script', 1, ' ERR_PNPM_NO_SCRIPT  Missing script: lint'],
    ['yarn without the script', 1, 'error Command "build" not found.'],
    ['bun without the script', 1, 'error: Script not found "build"'],
    [
      'npm without a package',
      254,
      'npm error enoent Could not read package.json: Error: ENOENT: no such file',
    ],
    ['the script of npm init', 1, 'Error: no test specified'],
    ['make without the target', 2, "make: *** No rule to make target 'lint'.  Stop."],
    ['make without a Makefile', 2, 'make: *** No targets specified and no makefile found.  Stop.'],
    ['cargo without a package', 101, 'error: could not find `Cargo.toml` in `/x` or any parent directory'],
    ['jest without tests', 1, 'No tests found, exiting with code 1'],
    ['jest that passes without tests', 0, 'No tests found, exiting with code 0'],
    ['vitest without tests', 1, '\nNo test files found, exiting with code 1\n'],
    ['pytest without tests', 5, '============ no tests ran in 0.01s ============'],
    ['unittest without tests', 0, 'Ran 0 tests in 0.000s\n\nOK'],
    ['node without tests', 0, 'ℹ tests 0\nℹ suites 0\nℹ pass 0'],
    ['go without tests', 0, '?   \texample.com/hello\t[no test files]'],
    ['cargo without tests', 0, 'running 0 tests\n\ntest result: ok. 0 passed; 0 failed'],
    ['mocha without tests', 0, '\n  0 passing (1ms)\n'],
  ])('%s is told from one that passes or fails', (_, code, tail) => {
    expect(inertReason(end(code, tail))).toEqual(expect.any(String));
  });

  it.each([
    ['a build that works', 0, 'built in 3 s'],
    ['a build that fails', 1, 'src/a.ts(1,1): error TS2304'],
    ['one that prints nothing', 0, ''],
    [
      'go, with tests in one of the packages',
      0,
      'ok  \texample.com/a\t0.1s\n?   \texample.com/b\t[no test files]',
    ],
    ['cargo, with tests in one of the targets', 0, 'running 3 tests\n\nrunning 0 tests'],
    ['mocha with failures only', 1, '  0 passing (1ms)\n  2 failing'],
    ['a text about missing scripts in a run that is fine', 0, 'ok: says "Missing script: x"'],
    ['make that fails', 2, 'make: *** [Makefile:3: build] Error 1'],
    [
      'make whose target needs a file that is gone',
      2,
      "make: *** No rule to make target 'a.c', needed by 'a.o'.  Stop.",
    ],
  ])('%s counts as it ended', (_, code, tail) => {
    expect(inertReason(end(code, tail))).toBeUndefined();
  });

  it('a command that hangs has failed, whatever it printed', () => {
    expect(inertReason(end(null, 'No tests found', true))).toBeUndefined();
  });
});
