import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkBranchName } from './check-branch.ts';

const isAccepted = (name: string): boolean => {
  try {
    checkBranchName(name);
    return true;
  } catch {
    return false;
  }
};

const gitAccepts = (name: string): boolean => {
  try {
    execFileSync('git', ['check-ref-format', '--branch', name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

describe('a branch name', () => {
  it.each(['main', 'bgagent/01ARZ3NDEKTSV4RRFFQ69G5FAV/add-a-greeting', 'feature/x_1.2', 'a@b', '1'])(
    'may be %s',
    (name) => {
      expect(checkBranchName(name)).toBe(name);
    },
  );

  it.each([
    '',
    '-x',
    '--upload-pack=x',
    'a..b',
    '../x',
    'a b',
    'a\nb',
    'a~b',
    'a^b',
    'a:b',
    'a?b',
    'a*b',
    'a[b',
    'a\\b',
    '/a',
    'a/',
    'a//b',
    '.a',
    'a/.b',
    'a.',
    'a.lock',
    'a.lock/b',
    '@',
    'a@{1}',
    'HEAD',
    'refs/heads/main',
    'mаin',
    'x'.repeat(300),
    'a\u200bb',
  ])('must not be %j', (name) => {
    expect(() => checkBranchName(name)).toThrow(expect.objectContaining({ code: 'BRANCH_INVALID' }));
  });

  it('is never one that git would refuse', () => {
    const text = fc.string({
      unit: fc.constantFrom(...'ab/.-@{}~^:?*[\\ \tlock'),
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(text, (name) => {
        fc.pre(isAccepted(name) && !name.includes('\0'));
        return gitAccepts(name);
      }),
      { numRuns: 150 },
    );
  });
});
