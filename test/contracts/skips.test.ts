import { describe, expect, it } from 'vitest';
import { testsWithSkips } from './skips.ts';

describe('a skip of a contract', () => {
  it('needs a reason', () => {
    expect(() => testsWithSkips([{ reason: ' ', tests: ['keeps bytes'] }])).toThrow(
      /"keeps bytes" has no reason/,
    );
  });

  describe('of a test', () => {
    const contract = testsWithSkips([{ reason: 'no network here', tests: ['is skipped'] }]);
    contract('is skipped', () => {
      throw new Error('it ran');
    });
    contract('runs when it is not named', () => expect(true).toBe(true));
  });
});
