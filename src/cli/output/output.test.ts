import { describe, expect, it } from 'vitest';
import { EVENTS, type EventType, type TaskEvent } from '../../task/events.ts';
import { emptyTimings } from '../../task/task.ts';
import { diffView } from './diff-view.ts';
import { eventLine } from './event-line.ts';
import { createStyle } from './style.ts';
import { pairs, table } from './table.ts';
import { askedFor, fetchCommand, timingsView } from './task-view.ts';
import { bytes, duration, relative } from './time.ts';
import { cleanLine, cleanText, shellWord } from './untrusted.ts';

const ESC = '\u001b';
const plain = createStyle(false);

/** No character that a terminal acts on, besides line ends and tabs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
const HARMLESS = /^[^\u0000-\u0008\u000B-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]*$/;

describe('untrusted text', () => {
  it.each([
    ['colours', `${ESC}[31mred${ESC}[0m`, 'red'],
    ['cursor moves', `a${ESC}[2J${ESC}[Hb`, 'ab'],
    ['a new window title', `${ESC}]0;pwned\u0007x`, 'x'],
    ['a hyperlink', `${ESC}]8;;http://evil.example\u0007click${ESC}]8;;\u0007`, 'click'],
    ['C1 controls', 'a\u009b31mb', 'ab'],
    ['a bell and a backspace', 'a\u0007\b', 'a␇␈'],
    ['text that runs backwards', 'abc\u202Etxt.exe', 'abctxt.exe'],
    ['a return to the start of the line', 'safe\rEVIL', 'safe EVIL'],
  ])('loses %s', (_, text, expected) => {
    expect(cleanLine(text)).toBe(expected);
  });

  it('never keeps a character that a terminal acts on', () => {
    for (let code = 0; code < 0x2100; code += 1) {
      expect(cleanText(`a${String.fromCharCode(code)}[31mb`)).toMatch(HARMLESS);
    }
  });

  it('keeps its lines and tabs when it has several', () => {
    expect(cleanText('a\tb\r\nc\n')).toBe('a\tb\nc\n');
  });

  it.each([
    ['bgagent/01ABC/fix', 'bgagent/01ABC/fix'],
    ["it's; rm -rf ~", `'it'\\''s; rm -rf ~'`],
    ['$(id)', "'$(id)'"],
    ['', "''"],
  ])('is one literal word of a shell: %s', (text, expected) => {
    expect(shellWord(text)).toBe(expected);
  });
});

describe('times and sizes', () => {
  it.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1_000, '1.0 s'],
    [59_940, '59.9 s'],
    [59_990, '1 min 00 s'],
    [3_599_600, '1 h 00 min'],
    [90_061_000, '1 d 1 h'],
  ])('%d ms is %s', (ms, expected) => expect(duration(ms)).toBe(expected));

  it('are told from now', () => {
    const now = Date.parse('2030-01-01T12:00:00Z');
    expect(relative('2030-01-01T11:59:58Z', now)).toBe('just now');
    expect(relative('2030-01-01T11:15:00Z', now)).toBe('45 min ago');
    expect(relative('2030-01-03T12:00:00Z', now)).toBe('in 2 d');
  });

  it.each([
    [0, '0 B'],
    [1_000, '1.0 kB'],
    [21_474_836_480, '21.5 GB'],
  ])('%d bytes are %s', (count, expected) => expect(bytes(count)).toBe(expected));
});

describe('a table', () => {
  const columns = [
    { title: 'id', value: ({ id }: { id: string; text: string }) => id },
    { title: 'text', value: ({ text }: { id: string; text: string }) => text, flexible: true },
  ];

  it('aligns its columns under their titles', () => {
    expect(table([{ id: 'long-id', text: 'x' }], columns)).toBe('id       text\nlong-id  x');
  });

  it('cuts the flexible column to the terminal, and nothing without one', () => {
    const rows = [{ id: 'a', text: 'y'.repeat(50) }];
    expect(table(rows, columns, { width: 20 }).split('\n')[1]).toBe(`a   ${'y'.repeat(15)}…`);
    expect(table(rows, columns)).toContain('y'.repeat(50));
  });

  it('makes its cells safe', () => {
    expect(table([{ id: `${ESC}[2J`, text: 'a\nb' }], columns)).toMatch(/^id {2}text\n {4}a b$/);
  });

  it('of pairs leaves out what has no value', () => {
    expect(
      pairs([
        ['a', '1'],
        ['long', null],
        ['b', '2'],
      ]),
    ).toBe('a  1\nb  2');
  });
});

describe('an event', () => {
  const event = (event_type: string, metadata: Record<string, unknown> = {}): TaskEvent => ({
    event_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    task_id: '01ARZ3NDEKTSV4RRFFQ69G5FAW',
    event_type,
    timestamp: '2030-01-01T00:00:00.000Z',
    metadata,
    user_id: null,
    repo: null,
  });

  it.each(Object.keys(EVENTS) as EventType[])('%s reads well even without its metadata', (type) => {
    const line = eventLine(event(type));
    expect(`${line?.label ?? ''} ${line?.text ?? ''}`).not.toMatch(/undefined|null|NaN|\[object/i);
  });

  it('of a type that this version does not know is shown by its name', () => {
    expect(eventLine(event('something_new'))).toEqual({ label: 'something_new', text: '', tone: 'dim' });
  });

  it('says of every check how it went, and why one says nothing', () => {
    const checks = [
      { check: 'build', before: 'passed', after: 'passed', regressed: false, reason: null },
      {
        check: 'lint',
        before: 'not_verified',
        after: 'not_verified',
        regressed: false,
        reason: 'no such command',
      },
      { check: 'test', before: 'passed', after: 'failed', regressed: true, reason: 'exit code 1' },
    ];
    expect(eventLine(event('verification_completed', { checks, regressed: ['test'] }))?.text).toBe(
      'build passed, lint not verified (no such command), test failed, worse than before the work: test',
    );
  });

  it('can not drive the terminal by what the agent printed', () => {
    expect(eventLine(event('agent_output', { preview: `${ESC}[2Jhi${ESC}]0;x\u0007`, lines: 1 }))?.text).toBe(
      'hi',
    );
  });
});

describe('what was asked for', () => {
  it.each([
    ['a description', { task_description: 'Mend it', issue_number: null, pr_number: 34 }, 'Mend it'],
    ['an issue', { task_description: null, issue_number: 12, pr_number: 34 }, 'issue #12'],
    [
      'both',
      { task_description: 'Only the title', issue_number: 12, pr_number: null },
      'issue #12: Only the title',
    ],
    ['a pull request', { task_description: null, issue_number: null, pr_number: 34 }, 'pull request #34'],
  ])('is %s', (_, task, words) => {
    expect(askedFor(task)).toBe(words);
  });
});

describe('the end of a task', () => {
  it('says how to fetch the branch, safe to paste and without a password', () => {
    const branch_name = 'bgagent/01ABC/$(id)';
    expect(fetchCommand({ repo: 'https://octo:secret@git.example/hello.git', branch_name })).toBe(
      "git fetch https://git.example/hello.git 'bgagent/01ABC/$(id)'",
    );
    expect(fetchCommand({ repo: 'octo/hello', branch_name: 'b' })).toBe('git fetch origin b');
  });

  it('says where the time went, and what is left over', () => {
    const timings = { ...emptyTimings(), clone_ms: 100, agent_ms: 300 };
    const lines = timingsView(timings, 1_000, plain).split('\n');
    expect(lines.map((line) => line.replace(/ {2,}/g, '|'))).toEqual([
      'phase|took|share',
      'clone|100 ms|10 %',
      'agent|300 ms|30 %',
      'everything between|600 ms|60 %',
      'total|1.0 s|100 %',
    ]);
  });

  it('shows a diff with what would drive the terminal made harmless', () => {
    expect(diffView(`+a${ESC}[2J\n-b\n`, plain)).toBe('+a\n-b\n');
    expect(diffView('+a', createStyle(true))).toBe(`${ESC}[32m+a${ESC}[39m`);
  });
});
