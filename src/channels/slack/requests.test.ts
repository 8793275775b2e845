import { describe, expect, it } from 'vitest';
import { parseTask, typedText } from './requests.ts';

describe('what people type', () => {
  it.each([
    ['octo/hello#12 fix it', { repo: 'octo/hello', issueNumber: 12, description: 'fix it' }],
    [
      'octo/hello\nline one\nline two',
      { repo: 'octo/hello', issueNumber: null, description: 'line one\nline two' },
    ],
    ['octo/hello#3', { repo: 'octo/hello', issueNumber: 3, description: null }],
    [
      'https://example.com/octo/hello.git x',
      { repo: 'https://example.com/octo/hello.git', issueNumber: null, description: 'x' },
    ],
    ['octo/hello#0 x', { repo: 'octo/hello#0', issueNumber: null, description: 'x' }],
    ['hello x', undefined],
    ['', undefined],
  ])('%j asks for %j', (text, task) => {
    expect(parseTask(text)).toEqual(task);
  });

  it.each([
    ['<@UBOT> octo/hello x', 'octo/hello x'],
    ['<@UBOT|bgagent>: octo/hello x', 'octo/hello x'],
    ['octo/hello see <https://example.com/a?b=1&amp;c=2>', 'octo/hello see https://example.com/a?b=1&c=2'],
    ['octo/hello ask <@U2|mona> in <#C1|general>', 'octo/hello ask mona in general'],
    ['a &lt;b&gt; &amp;lt;', 'a <b> &lt;'],
  ])('%j means %j', (text, typed) => {
    expect(typedText(text)).toBe(typed);
  });
});
