import { describe, expect, it } from 'vitest';
import { outsideCode, withoutHtmlComments } from './markdown.ts';

const shout = (text: string): string => outsideCode(text, (prose) => prose.toUpperCase());

describe('Markdown', () => {
  it.each([
    ['say `npm test` now', 'SAY `npm test` NOW'],
    ['a\n```js\nconst b = 1;\n```\nc', 'A\n```js\nconst b = 1;\n```\nC'],
    ['a\n~~~~\n~~~\n```\nb\n~~~~\nc', 'A\n~~~~\n~~~\n```\nb\n~~~~\nC'],
    ['a\n```\nnever closed', 'A\n```\nnever closed'],
    ['one ` alone', 'ONE ` ALONE'],
    ['', ''],
  ])('is changed outside of its code: %j', (text, expected) => {
    expect(shout(text)).toBe(expected);
  });

  it.each([
    ['a<!-- hidden\n-->b<!---->c', 'abc'],
    ['a <!-- never closed', 'a <!-- never closed'],
    ['a --> b', 'a --> b'],
  ])('%j is shown as %j', (text, expected) => {
    expect(withoutHtmlComments(text)).toBe(expected);
  });

  it('of a megabyte of openings takes no longer than of words', () => {
    const text = '<!--'.repeat(250_000);
    expect(outsideCode(text, withoutHtmlComments)).toBe(text);
  });
});
