import { expect, it } from 'vitest';
import { testsWithSkips } from './skips.ts';

it('a skip of a contract needs a reason', () => {
  expect(() => testsWithSkips([{ reason: ' ', tests: ['keeps bytes'] }])).toThrow(
    /"keeps bytes" has no reason/,
  );
});
