import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askedBy, textAfterMention } from './webhook-events.ts';

const FIXTURES = join(import.meta.dirname, '../../../test/fixtures/github');
const fixture = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), 'utf8'));
const asked = (event: string, name: string, change: Record<string, unknown> = {}) =>
  askedBy(event, { ...fixture(name), ...change }, 'bgagent');

describe('a webhook of GitHub', () => {
  it('with a mention in an issue asks for a new task on it', () => {
    expect(asked('issue_comment', 'issue_comment.created')).toEqual({
      kind: 'task',
      request: {
        repo: 'octo/hello',
        issueNumber: 12,
        prNumber: null,
        description: 'please fix the clock.',
        sender: { id: 583231, login: 'octocat', type: 'User' },
        followsUp: null,
      },
    });
  });

  it('with a mention in a pull request asks for another round on it', () => {
    expect(asked('issue_comment', 'issue_comment.created.pull_request')).toMatchObject({
      kind: 'task',
      request: { issueNumber: null, prNumber: 34, followsUp: null },
    });
  });

  it('with a mention on a line says which line', () => {
    expect(asked('pull_request_review_comment', 'pull_request_review_comment.created')).toMatchObject({
      kind: 'task',
      request: { prNumber: 34, description: 'On src/clock.ts:7: use the injected clock', followsUp: null },
    });
  });

  it('with the label asks for a new task', () => {
    expect(asked('issues', 'issues.labeled')).toMatchObject({
      kind: 'task',
      request: { issueNumber: 12, description: null, followsUp: null },
    });
    expect(asked('issues', 'issues.labeled', { label: { name: 'bug' } })).toMatchObject({ kind: 'nothing' });
  });

  it('with a review that asks for changes on a pull request of ours is followed up', () => {
    expect(asked('pull_request_review', 'pull_request_review.submitted')).toMatchObject({
      kind: 'task',
      request: {
        prNumber: 34,
        followsUp: '01JD4Z5V7W8X9Y0Z1A2B3C4D5E',
        description: expect.stringContaining('pullrequestreview-80'),
      },
    });
  });

  it('with checks that failed on a branch of ours is followed up', () => {
    expect(asked('check_suite', 'check_suite.completed')).toMatchObject({
      kind: 'task',
      request: { prNumber: 34, followsUp: '01JD4Z5V7W8X9Y0Z1A2B3C4D5E' },
    });
  });

  it.each(['success', 'neutral', 'cancelled', 'skipped', 'stale', null])(
    'with checks that ended as %s asks for nothing',
    (conclusion) => {
      const payload = fixture('check_suite.completed');
      const check_suite = { ...(payload.check_suite as object), conclusion };
      expect(asked('check_suite', 'check_suite.completed', { check_suite })).toMatchObject({
        kind: 'nothing',
      });
    },
  );

  it('with a code links the account', () => {
    const comment = { body: '@bgagent link ABCD-1234', user: { id: 583231, login: 'octocat', type: 'User' } };
    expect(asked('issue_comment', 'issue_comment.created', { comment })).toEqual({
      kind: 'link',
      repo: 'octo/hello',
      number: 12,
      sender: { id: 583231, login: 'octocat', type: 'User' },
      code: 'ABCD-1234',
    });
  });

  it.each(['@bgagent cancel', '@bgagent: Cancel!', 'Enough.\n\n@bgagent cancel.'])(
    'with %j cancels',
    (body) => {
      const comment = { body, user: { id: 583231, login: 'octocat', type: 'User' } };
      const closed = { number: 12, state: 'closed' };
      expect(asked('issue_comment', 'issue_comment.created', { comment, issue: closed })).toMatchObject({
        kind: 'cancel',
        number: 12,
      });
    },
  );

  it('with "cancel" in a sentence is a task like any other', () => {
    const comment = { body: '@bgagent cancel the timer on exit', user: { id: 1, login: 'o', type: 'User' } };
    expect(asked('issue_comment', 'issue_comment.created', { comment })).toMatchObject({ kind: 'task' });
  });

  it.each([
    ['edited comments', { action: 'edited' }],
    ['closed issues', { issue: { number: 12, state: 'closed' } }],
    ['programs', { comment: { body: '@bgagent go', user: { id: 1, login: 'other[bot]', type: 'Bot' } } }],
    ['comments to others', { comment: { body: 'LGTM @octocat', user: { id: 1, login: 'o', type: 'User' } } }],
  ])('ignores %s', (_, change) => {
    expect(asked('issue_comment', 'issue_comment.created', change)).toMatchObject({ kind: 'nothing' });
  });

  it('of a type that nobody asked for means nothing', () => {
    expect(askedBy('star', {}, 'bgagent')).toMatchObject({ kind: 'nothing' });
  });

  it.each(readdirSync(FIXTURES))('in the shape of %s but broken is refused', (file) => {
    const event = file.split('.')[0] ?? '';
    expect(() => askedBy(event, { action: 'created' }, 'bgagent')).toThrow();
  });
});

describe('a mention', () => {
  it.each([
    ['@bgagent do it', 'do it'],
    ['Hello @bgagent, do it', 'do it'],
    ['@BgAgent: do it\nand that', 'do it\nand that'],
    ['(@bgagent do it)', 'do it)'],
    ['@bgagent', ''],
    ['> quoted\n\n@bgagent yes', 'yes'],
  ])('in %j says %j', (body, said) => {
    expect(textAfterMention(body, 'bgagent')).toBe(said);
  });

  it.each([
    '> @bgagent do it',
    '```\n@bgagent do it\n```',
    '~~~\n@bgagent do it',
    'use `@bgagent do it`',
    'mail@bgagent',
    '@bgagent-dev do it',
    '@octo/bgagent do it',
    'octo/@bgagent',
    'bgagent do it',
  ])('is not in %j', (body) => {
    expect(textAfterMention(body, 'bgagent')).toBeUndefined();
  });

  it('is looked for in any text without trouble', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (body) => {
        const said = textAfterMention(`${body}`, 'bgagent');
        return said === undefined || typeof said === 'string';
      }),
    );
  });
});
