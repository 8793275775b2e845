import { describe, expect, it } from 'vitest';
import { REVIEW_LIMITS } from '../task/protocol.ts';
import { reviewOf } from './review.ts';

describe('the file of a review', () => {
  it.each([
    ['no JSON', 'Looks good!', 'no JSON'],
    ['another kind of document', '["fine"]', 'can not be used'],
    [
      'a line that is none',
      '{"summary":"x","comments":[{"path":"a","line":0,"body":"b"}]}',
      'comments.0.line',
    ],
  ])('that is %s is set aside, and said', (_what, file, fault) => {
    expect(reviewOf(file, 'Said.')).toEqual({
      review: { summary: 'Said.', comments: [] },
      fault: expect.stringContaining(fault),
    });
    expect(reviewOf(file, null).review).toBeNull();
  });

  it('is cut where it is too long, and keeps the first of too many comments', () => {
    const comment = { path: 'a', line: 1, body: 'x'.repeat(REVIEW_LIMITS.body + 1) };
    const comments = Array.from({ length: REVIEW_LIMITS.comments + 3 }, () => comment);
    const { review, fault } = reviewOf(JSON.stringify({ summary: 'y'.repeat(20_000), comments }), null);
    expect(review?.summary.length).toBeLessThanOrEqual(REVIEW_LIMITS.summary);
    expect(review?.comments).toHaveLength(REVIEW_LIMITS.comments);
    expect(review?.comments[0]?.body).toMatch(/\[… cut here\]$/);
    expect(fault).toContain('3 comments');
  });

  it('may leave the summary to what was said', () => {
    expect(reviewOf('{"summary":" "}', 'Said.').review?.summary).toBe('Said.');
  });
});
