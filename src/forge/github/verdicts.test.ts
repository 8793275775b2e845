import { describe, expect, it } from 'vitest';
import { judge, type Response } from './verdicts.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const answer = (status: number, message = '', headers: Response['headers'] = {}): Response => ({
  status,
  message,
  headers,
});

describe('what an answer means (H2)', () => {
  it.each([
    ['no answer', null, { kind: 'unavailable' }],
    ['500', answer(500), { kind: 'unavailable' }],
    ['503', answer(503), { kind: 'unavailable' }],
    ['401', answer(401, 'Bad credentials'), { kind: 'unauthorized' }],
    ['404', answer(404), { kind: 'refused' }],
    ['422', answer(422), { kind: 'refused' }],
    ['403 for want of rights', answer(403, 'Resource not accessible by integration'), { kind: 'refused' }],
    [
      '403 for want of rights with calls left',
      answer(403, 'Must have admin rights', { 'x-ratelimit-remaining': '4999' }),
      { kind: 'refused' },
    ],
    ['429 without a word', answer(429), { kind: 'limited', waitMs: 60_000 }],
    [
      '429 that says less than a minute',
      answer(429, '', { 'retry-after': '5' }),
      { kind: 'limited', waitMs: 60_000 },
    ],
    ['429 that says more', answer(429, '', { 'retry-after': '120' }), { kind: 'limited', waitMs: 120_000 }],
    [
      '403 with retry-after',
      answer(403, 'wait', { 'retry-after': '90' }),
      { kind: 'limited', waitMs: 90_000 },
    ],
    [
      'the secondary limit in words',
      answer(403, 'You have exceeded a secondary rate limit.', { 'x-ratelimit-remaining': '4000' }),
      { kind: 'limited', waitMs: 60_000 },
    ],
    [
      'abuse detection',
      answer(403, 'You have triggered an abuse detection mechanism.'),
      { kind: 'limited', waitMs: 60_000 },
    ],
    [
      'the primary limit until its reset',
      answer(403, 'API rate limit exceeded', {
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset': String(NOW / 1_000 + 300),
      }),
      { kind: 'limited', waitMs: 301_000 },
    ],
    ['a limit of GraphQL', answer(200, '[{"type":"RATE_LIMITED"}]'), { kind: 'limited', waitMs: 60_000 }],
  ] as const)('%s', (_, response, verdict) => {
    expect(judge(response, { hits: 0, now: NOW })).toEqual(verdict);
  });

  it('grows while it goes on, up to a quarter of an hour', () => {
    const waits = [0, 1, 2, 3, 4, 5, 9].map((hits) => judge(answer(429), { hits, now: NOW }));
    expect(waits.map((verdict) => 'waitMs' in verdict && verdict.waitMs / 60_000)).toEqual([
      1, 2, 4, 8, 15, 15, 15,
    ]);
  });
});
