import { describe, expect, it } from 'vitest';
import { blockProblems } from '../../../test/fakes/slack-blocks.ts';
import { metadataOf } from '../../../test/fixtures/channel-events.ts';
import { aTask } from '../../../test/fixtures/task.ts';
import type { EventType, TaskEvent } from '../../task/events.ts';
import type { Task } from '../../task/task.ts';
import { RENDERERS, type Renderer } from './render.ts';
import { code, safeLine, safeText, safeUrl } from './text.ts';

const TYPES = Object.keys(RENDERERS) as (keyof typeof RENDERERS & EventType)[];

const anEvent = (type: EventType, metadata: Record<string, unknown>): TaskEvent => ({
  event_id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  task_id: 't',
  event_type: type,
  timestamp: '',
  metadata,
  user_id: 'user-1',
  repo: 'octo/hello',
});

const done: Partial<Task> = {
  repo: 'octo/hello',
  outcome: 'changes',
  branch_name: 'bgagent/01ARZ3/add-a-greeting',
  started_at: '2030-01-01T00:00:00.000Z',
  completed_at: '2030-01-01T00:03:20.400Z',
  cost_usd: 0.417,
  pr_url: 'https://example.com/octo/hello/pull/7',
  diff_stat: { files_changed: 2, insertions: 10, deletions: 3 },
  outcome_summary: 'Added a greeting and its test.',
  build_passed: true,
};

const render = (type: keyof typeof RENDERERS, metadata: Record<string, unknown>, task: Task) => {
  const renderer: Renderer = RENDERERS[type];
  return renderer(anEvent(type, metadata), task);
};

/** What people read, without the blocks around it. */
const readable = (type: keyof typeof RENDERERS, metadata: Record<string, unknown>, task: Task): string =>
  render(type, metadata, task)
    .blocks.flatMap((block) => {
      if (block.type === 'section') return [block.text.text];
      if (block.type === 'context') return block.elements.map(({ text }) => text);
      return block.elements.map(({ text, url, style, confirm }) =>
        [`[${text.text}]`, style, url, confirm && `asks "${confirm.title.text}"`].filter(Boolean).join(' '),
      );
    })
    .join('\n');

describe('messages in Slack (L9)', () => {
  it('say what people want to know', () => {
    const all = TYPES.map((type) => `--- ${type}\n${readable(type, metadataOf(type), aTask(done))}`);
    expect(all.join('\n')).toMatchInlineSnapshot(`
      "--- task_created
      :rocket: *Task accepted* for \`octo/hello\`
      >Add a greeting
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`
      --- session_started
      :hourglass_flowing_sand: *Work has started* on \`octo/hello\`
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`
      [Cancel] danger asks "Cancel this task?"
      --- task_completed
      :white_check_mark: *Done*: \`octo/hello\`
      3 min 20 s · $0.42 · 2 files, +10 −3
      Added a greeting and its test.
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`
      [View PR] primary https://example.com/octo/hello/pull/7
      --- task_failed
      :x: *Failed*: \`octo/hello\`
      exit code 1
      *What to do:* See the log.
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`
      [Retry]
      --- task_cancelled
      :no_entry_sign: *Cancelled*: \`octo/hello\`
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`
      --- task_timed_out
      :hourglass: *Timed out*: \`octo/hello\`
      the deadline was reached
      *What to do:* See the log.
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`
      [Retry]
      --- task_stranded
      :x: *Stranded*: nothing was driving the task any more (last status: RUNNING)
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`
      --- agent_error
      :warning: *The agent met an error*: \`tool_failed\`
      npm test: 2 failed
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`
      --- pr_created
      :link: *Pull request opened* in \`octo/hello\`
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`
      [View PR] primary https://example.com/octo/hello/pull/7
      --- approval_requested
      :raised_hand: *The agent asks for a decision*
      push to main
      Why: the branch is protected
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`
      --- approval_stranded
      :raised_hand: *Nobody decided in time*
      The request of the agent has ended.
      Task \`01ARZ3NDEKTSV4RRFFQ69G5FAV\`"
    `);
  });

  const HOSTILE =
    '<!channel> <!here> <@U1> <https://evil.example|click> & `x` *b* @everyone \u202e\u0007\u{e0041}';
  const CASES: [string, Partial<Task>, (type: EventType) => Record<string, unknown>][] = [
    ['nothing known', {}, () => ({})],
    [
      'numbers and nulls where texts should be',
      {},
      () => ({ error_message: 7, remedy: null, error_type: {}, preview: [], prior_status: 0, pr_url: 5 }),
    ],
    [
      'texts of 40,000 characters',
      {
        repo: 'r'.repeat(40_000),
        task_description: '<'.repeat(10_000),
        branch_name: '&'.repeat(40_000),
        outcome_summary: '>'.repeat(40_000),
        pr_url: `https://example.com/${'x'.repeat(4_000)}`,
      },
      (type) => Object.fromEntries(Object.keys(metadataOf(type)).map((name) => [name, '&'.repeat(40_000)])),
    ],
    [
      'hostile texts',
      {
        repo: `octo/${HOSTILE}`,
        task_description: HOSTILE,
        branch_name: HOSTILE,
        outcome_summary: HOSTILE,
        pr_url: 'javascript:alert(1)',
        compare_url: 'file:///etc/passwd',
      },
      (type) => Object.fromEntries(Object.keys(metadataOf(type)).map((name) => [name, HOSTILE])),
    ],
    [
      'empty lines',
      { task_description: '\n\n \n' },
      () => ({ preview: '\n\n  \nfirst\n\n\nsecond\n', error_message: '\n\n' }),
    ],
  ];
  it.each(CASES)('keep Block Kit’s limits and are harmless with %s', (_, fields, metadata) => {
    for (const type of TYPES) {
      const said = metadata(type);
      const message = render(type, said, aTask({ task_id: 'T'.repeat(26), ...fields }));
      expect(blockProblems(message.blocks), type).toEqual([]);
      const text = readable(type, said, aTask({ ...fields }));
      expect(text, type).not.toContain('\u0007');
      expect(text, type).not.toMatch(/<[!@#h]|undefined|\[object|NaN|javascript:|file:\/\/\/|\u202e/);
      expect(
        text.split('\n').every((line) => line.trim() !== ''),
        `${type} has an empty line:\n${text}`,
      ).toBe(true);
      expect(message.text.length, type).toBeLessThan(1_000);
    }
  });

  it('cut at their lengths, counted as people count', () => {
    const text = readable('task_failed', { error_message: '🚀'.repeat(1_000), remedy: 'x' }, aTask());
    expect(Array.from(text.matchAll(/🚀/gu))).toHaveLength(299);
    const created = readable('task_created', {}, aTask({ task_description: 'a'.repeat(201) }));
    expect(created).toContain(`>${'a'.repeat(199)}…\n`);
  });

  it('name the last status of a stranded task only when it is known', () => {
    expect(readable('task_stranded', { prior_status: 'RUNNING' }, aTask())).toContain(
      '(last status: RUNNING)',
    );
    expect(readable('task_stranded', {}, aTask())).not.toContain('last status');
  });

  it('link to changes when there is no pull request, and name the branch when there is no link', () => {
    const view = (fields: Partial<Task>) =>
      readable('task_completed', {}, aTask({ ...done, pr_url: null, ...fields }));
    expect(view({ compare_url: 'https://example.com/compare/x' })).toContain(
      '[View changes] primary https://example.com/compare/x',
    );
    expect(view({})).toContain('Branch `bgagent/01ARZ3/add-a-greeting`');
    expect(view({ build_passed: false })).toContain('The build does not pass.');
    expect(view({ outcome: 'no_changes' })).toContain('needed no changes');
  });
});

describe('text from outside', () => {
  it.each([
    ['a & b <c>', 'a &amp; b &lt;c&gt;'],
    ['  padded  ', 'padded'],
    ['123456', '1234…'],
    ['zero\u200bwidth', 'zero…'],
  ])('%j becomes %j', (text, safe) => {
    expect(safeText(text, text.startsWith('123') || text.startsWith('zero') ? 5 : 100)).toBe(safe);
  });

  it('is one line, or code, where that is asked', () => {
    expect(safeLine('a\n\n b\t<c>', 100)).toBe('a b &lt;c&gt;');
    expect(code('a`b', 100)).toBe("`a'b`");
  });

  it.each([
    ['https://example.com/a?b=1', 'https://example.com/a?b=1'],
    ['javascript:alert(1)', undefined],
    ['not a url', undefined],
    [null, undefined],
  ])('of %j links to %j', (url, safe) => {
    expect(safeUrl(url)).toBe(safe);
  });
});
