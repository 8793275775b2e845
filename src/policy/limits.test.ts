import { describe, expect, it } from 'vitest';
import { resolveLimits } from './limits.ts';

const settings = { default_max_turns: 100, default_max_budget_usd: 5, default_deadline_s: 28_800 };
const repo = { max_turns: 50, max_budget_usd: 2, deadline_s: 600 };
const silent = { max_turns: null, max_budget_usd: null, deadline_s: null };

describe('the limits of a task (O3)', () => {
  it('are the platform’s when nobody says otherwise', () => {
    const expected = { max_turns: 100, max_budget_usd: 5, deadline_s: 28_800 };
    expect(resolveLimits({}, undefined, settings)).toEqual(expected);
    expect(resolveLimits({ max_turns: null, max_budget_usd: null }, silent, settings)).toEqual(expected);
  });

  it('are the repository’s before the platform’s, and the request’s before both', () => {
    expect(resolveLimits({}, repo, settings)).toEqual(repo);
    expect(resolveLimits({ max_turns: 7 }, repo, settings)).toEqual({ ...repo, max_turns: 7 });
    expect(resolveLimits({ max_budget_usd: 0.5 }, repo, settings)).toEqual({ ...repo, max_budget_usd: 0.5 });
  });

  it('have no budget only where the platform has none', () => {
    const unlimited = { ...settings, default_max_budget_usd: null };
    expect(resolveLimits({}, undefined, unlimited).max_budget_usd).toBeNull();
    expect(resolveLimits({}, repo, unlimited).max_budget_usd).toBe(2);
  });

  it.each([
    ['max_turns', 0],
    ['max_turns', 501],
    ['max_turns', 1.5],
    ['max_turns', Number.NaN],
    ['max_budget_usd', 0],
    ['max_budget_usd', 100.01],
    ['max_budget_usd', Number.POSITIVE_INFINITY],
  ])('refuse %s = %d and name the field', (field, value) => {
    expect(() => resolveLimits({ [field]: value }, undefined, settings)).toThrow(
      expect.objectContaining({
        code: 'VALIDATION_ERROR',
        field,
        message: expect.stringContaining(`${field}: `),
      }),
    );
  });
});
