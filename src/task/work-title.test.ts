import { describe, expect, it } from 'vitest';
import { workTitle } from './work-title.ts';

describe('the title of a work', () => {
  it.each([
    ['# Add a greeting\n\nIt says hello.', 'Add a greeting', 'It says hello.'],
    ['## Add a greeting ##', 'Add a greeting', ''],
    ['\n# Add\u200b a\u0007 greeting\nIt says hello.', 'Add a greeting', 'It says hello.'],
    ['I added a greeting.', null, 'I added a greeting.'],
    ['#12 is done', null, '#12 is done'],
    [`# ${'x'.repeat(73)}`, null, `# ${'x'.repeat(73)}`],
    ['#  ', null, '#'],
    [null, null, ''],
  ])('of %j is %j', (summary, title, rest) => {
    expect(workTitle(summary)).toEqual({ title, rest });
  });
});
