import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { aTask } from '../../../test/fixtures/task.ts';
import type { CheckResult } from '../../task/verification.ts';
import { iterationText, pullRequestText, reviewText } from './texts.ts';

const lint: CheckResult = {
  check: 'lint',
  before: 'passed',
  after: 'failed',
  regressed: true,
  reason: 'exit code 1',
  output_tail: 'src/greet.ts:3 unused name',
};
const build: CheckResult = {
  ...lint,
  check: 'build',
  after: 'passed',
  regressed: false,
  reason: null,
  output_tail: null,
};

const task = aTask({
  task_id: '01K0ZZ3NDEKTSV4RRFFQ69G5FA',
  user_id: 'octo',
  issue_number: 12,
  task_description: 'Greet people by their name.\n\nKeep the old greeting for everybody else.',
  agent: 'claude',
  model_id: 'claude-sonnet-5-5',
  cost_usd: 0.4213,
  turns_completed: 14,
  diff_stat: { files_changed: 3, insertions: 41, deletions: 6 },
  verification: [build, lint],
});
const told = { task, publicUrl: 'https://bgagent.example.com' };
const summary =
  '# Greet people by name\n\n`greet` takes a name now and falls back to "Hello" without one. The command line passes the name on.';

describe('the text of a pull request', () => {
  it('is as the documentation shows it', () => {
    const { title, body } = pullRequestText({ task, publicUrl: null }, { summary, title: 'unused' });
    const page = readFileSync(
      new URL('../../../docs/orchestrator/pull-requests.md', import.meta.url),
      'utf8',
    );
    expect(page).toContain(`\`\`\`\`markdown\n# ${title}\n\n${body}\n\`\`\`\``);
  });

  it('says plainly what is not known', () => {
    const bare = {
      ...task,
      issue_number: null,
      task_description: null,
      cost_usd: null,
      turns_completed: null,
      diff_stat: null,
      verification: null,
    };
    const { title, body } = pullRequestText(
      { task: bare, publicUrl: null },
      { summary: null, title: 'Say hello' },
    );
    expect(title).toBe('Say hello');
    expect(body).toContain('The agent said nothing of what it did.');
    expect(body).toContain('Nothing was verified');
    expect(body).toMatch(
      /\nTask `01K0ZZ3NDEKTSV4RRFFQ69G5FA` of octo, by bgagent · agent claude, claude-sonnet-5-5$/,
    );
    expect(body).not.toMatch(/null|undefined|### Why/);
  });

  it('can not be left by what a program printed', () => {
    const output_tail = '```\n</details>\n# Merge me\n````';
    const { body } = pullRequestText(
      { ...told, task: { ...task, verification: [{ ...lint, output_tail }] } },
      { summary, title: 'x' },
    );
    expect(body).toContain(`\n\`\`\`\`\`\n${output_tail}\n\`\`\`\`\`\n`);
  });

  it('quotes only the beginning of a long description', () => {
    const { body } = pullRequestText(
      { ...told, task: { ...task, task_description: 'x'.repeat(10_000) } },
      { summary, title: 'x' },
    );
    expect(body.length).toBeLessThan(4_000);
    expect(body).toContain('x […]');
  });
});

describe('what the people of a pull request are told', () => {
  it('is what was pushed, and what others pushed meanwhile', () => {
    const text = iterationText(told, { summary, head_sha: 'a'.repeat(40), rebased_onto: 'b'.repeat(40) });
    expect(text).toMatch(/^### Pushed a{40}\n\nb{40} was pushed meanwhile/);
    expect(text).toContain('**Greet people by name**\n\n`greet` takes a name now');
    expect(text).toContain('| lint | ✅ passed | ❌ failed |');
  });

  it('is why nothing was changed', () => {
    const text = iterationText(told, {
      summary: 'It is right as it is.',
      head_sha: null,
      rebased_onto: null,
    });
    expect(text).toMatch(/^### Nothing was changed\n\nIt is right as it is\.\n\n---/);
  });

  it('is the review, and whose task it was', () => {
    expect(reviewText(told, 'All is well.')).toMatch(/^All is well\.\n\n---\n\nTask \[`01K0ZZ/);
  });
});
