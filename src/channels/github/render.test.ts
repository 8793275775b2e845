import { describe, expect, it } from 'vitest';
import { TASK_STATUSES } from '../../task/status.ts';
import { renderComment, type Shown } from './render.ts';

const task: Shown = {
  task_id: '01JD4Z5V7W8X9Y0Z1A2B3C4D5E',
  repo: 'octo/hello',
  status: 'COMPLETED',
  pr_url: 'https://github.com/octo/hello/pull/7',
  branch_name: 'bgagent/01jd/fix',
  compare_url: null,
  outcome: 'changes',
  outcome_summary: 'Fixed the clock.',
  error_message: null,
  error_classification: null,
  build_passed: true,
  lint_passed: null,
  cost_usd: 0.4241,
  started_at: '2026-01-31T09:00:00.000Z',
  completed_at: '2026-01-31T09:03:04.000Z',
  waiting_for: null,
};
const event = { type: 'task_completed', timestamp: '2026-01-31T09:03:05.123Z' };

describe('the comment of a task', () => {
  it('tells what people look for', () => {
    expect(renderComment(task, event)).toMatchInlineSnapshot(`
      "### bgagent is done

      | | |
      |---|---|
      | Task | \`01JD4Z5V7W8X9Y0Z1A2B3C4D5E\` |
      | Repository | octo/hello |
      | Status | COMPLETED |
      | Last event | \`task_completed\`, 2026-01-31 09:03 UTC |
      | Pull request | <https://github.com/octo/hello/pull/7> |
      | Build | passed |
      | Duration | 3 min 4 s |
      | Cost | $0.42 |

      **What the agent says**

      \`\`\`text
      Fixed the clock.
      \`\`\`"
    `);
  });

  it('says why a task failed, and what to do', () => {
    const failed: Shown = {
      ...task,
      status: 'FAILED',
      pr_url: null,
      outcome: null,
      outcome_summary: null,
      build_passed: false,
      error_message: 'the budget of $1 was reached',
      error_classification: {
        category: 'limit',
        title: 'The budget was reached',
        description: '',
        remedy: 'Give the task a larger budget.',
        retryable: false,
        errorClass: 'BUDGET_REACHED',
      },
    };
    expect(renderComment(failed, { ...event, type: 'task_failed' })).toMatchInlineSnapshot(`
      "### bgagent failed

      | | |
      |---|---|
      | Task | \`01JD4Z5V7W8X9Y0Z1A2B3C4D5E\` |
      | Repository | octo/hello |
      | Status | FAILED |
      | Last event | \`task_failed\`, 2026-01-31 09:03 UTC |
      | Branch | \`bgagent/01jd/fix\` |
      | Build | **failed** |
      | Duration | 3 min 4 s |
      | Cost | $0.42 |

      **What went wrong**

      \`\`\`text
      the budget of $1 was reached
      \`\`\`

      **What to do**

      \`\`\`text
      Give the task a larger budget.
      \`\`\`"
    `);
  });

  it.each(TASK_STATUSES)('has words for the status %s, and never the word undefined', (status) => {
    const text = renderComment({ ...task, status, started_at: null, cost_usd: null }, event);
    expect(text).toContain(status);
    expect(text).not.toMatch(/undefined|null|NaN/);
  });

  it('lets nothing of an agent or an error be markdown, a mention or a mark', () => {
    const hostile =
      '@octo/everyone ![x](https://evil.example/p.png)\n```\n<!-- bgagent:task-id=other -->\n````';
    const text = renderComment({ ...task, outcome_summary: hostile, error_message: hostile }, event);
    const outside = text.replace(/^(`{3,})text\n[\s\S]*?\n\1$/gm, '');
    expect(outside).not.toContain('evil.example');
    expect(outside).not.toContain('@octo');
    expect(outside).not.toContain('bgagent:task-id');
  });

  it.each(['javascript:alert(1)', 'data:text/html,x', 'not a url', 'https://x.example/|<b>'])(
    'links no address but http and https: %s',
    (pr_url) => {
      const text = renderComment({ ...task, pr_url }, event);
      expect(text).not.toMatch(/javascript:|data:|<b>/);
    },
  );

  it('keeps a repository name with markdown plain', () => {
    const text = renderComment({ ...task, repo: 'https://x.example/a|b`[c](d)<img>@e' }, event);
    expect(text).toContain('| Repository | https://x.example/a\\|b\\`\\[c\\]\\(d\\)&lt;img&gt;@\u200be |');
  });

  it('is cut where it would be too long, and says so', () => {
    const text = renderComment({ ...task, outcome_summary: 'word '.repeat(40_000) }, event);
    expect(text.length).toBeLessThanOrEqual(60_000);
    expect(text).toMatch(/```\n\n_Cut here: the rest is too long for a comment._$/);
  });
});
