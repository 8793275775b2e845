import { describe, expect, it } from 'vitest';
import { cell, prose, quote } from './prose.ts';

const shown = (text: string): string => prose(text).replaceAll('\u200b', '·');

describe('what an agent says', () => {
  it.each([
    ['calls nobody', 'Ask @octo or @octo/core.', 'Ask @·octo or @·octo/core.'],
    ['leaves addresses and decorators in code alone', '`@Injectable()` and a@b', '`@Injectable()` and a@·b'],
    ['closes no issue', 'Fixes #1, closes: octo/hello#2', 'Fixes· ·#1, closes·: ·octo/hello#2'],
    [
      'closes none by its address',
      'resolved https://github.com/octo/hello/issues/1',
      'resolved· ·https://github.com/octo/hello/issues/1',
    ],
    ['may name one', 'See #12, which this does not fix.', 'See #12, which this does not fix.'],
    ['hides nothing', 'a<!-- bgagent:task-id=x -->b <!-- open', 'ab <·!-- open'],
    [
      'loads no picture',
      '![x](https://example.com/p) <img src=x>',
      '!·[x](https://example.com/p) <·img src=x>',
    ],
    ['keeps its code', '```\n@octo fixes #1 <!-- -->\n```', '```\n@octo fixes #1 <!-- -->\n```'],
  ])('%s', (_what, text, expected) => {
    expect(shown(text)).toBe(expected);
  });

  it('stays in its cell, and in its quote', () => {
    expect(cell('a | b\n\n# c')).toBe('a \\| b # c');
    expect(quote('a\n\nb'.repeat(10), 4)).toBe('> a\n>\n> b […]');
  });
});
