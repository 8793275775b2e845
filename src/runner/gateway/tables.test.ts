import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryAfterMs } from './attempts.ts';
import { estimate } from './estimate.ts';
import { wholeEvents } from './events.ts';
import { DEFAULT_PRICES, familyOf, type ModelPrice, PRICES_AS_OF, priceOf, withPrices } from './prices.ts';
import { costOf, NO_TOKENS, worstCostOf } from './tokens.ts';

describe('the price of a model', () => {
  it.each([
    ['claude-opus-4-5', 'claude-opus-4-5'],
    ['claude-opus-4-5-20251101', 'claude-opus-4-5'],
    ['us.anthropic.claude-opus-4-5-20251101-v1:0', 'claude-opus-4-5'],
    ['anthropic.claude-haiku-4-5-20251001-v1:0', 'claude-haiku-4-5'],
    ['global.anthropic.claude-sonnet-5-5', 'claude-sonnet-5-5'],
    ['us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0', 'claude-sonnet-4-5'],
    ['us.anthropic.claude-opus-4-6-v1', 'claude-opus-4-6'],
    ['claude-sonnet-4-6[1m]', 'claude-sonnet-4-6'],
    ['arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-5', 'claude-opus-5'],
    ['gpt-5.1-2025-11-13', 'gpt-5.1'],
    ['openai/gpt-5-mini', 'gpt-5-mini'],
  ])('%s is that of %s', (model, family) => {
    expect(familyOf(model)).toBe(family);
    expect(priceOf(model, DEFAULT_PRICES)).toBe(DEFAULT_PRICES[family]);
  });

  it.each([
    'claude-opus-5-6',
    'claude-opus',
    'gpt-5-pro',
    'gpt-6',
    '',
    'toString',
    '__proto__',
    'constructor',
  ])('is not guessed: %s', (model) => {
    expect(priceOf(model, DEFAULT_PRICES)).toBeUndefined();
  });

  it('is that of its whole id, where one is set', () => {
    const price = { input: 1, output: 2 };
    expect(
      priceOf('eu.anthropic.claude-opus-5', { ...DEFAULT_PRICES, 'eu.anthropic.claude-opus-5': price }),
    ).toBe(price);
  });

  it('is what the platform sets, as a whole: cache for an hour and long prompts included', () => {
    const rates = { input: 1, output: 5, cache_read: 0.1, cache_write: 1.25, cache_write_1h: 2 };
    const prices = withPrices({
      'my-model': { ...rates, long: { ...rates, input: 3, above_input_tokens: 100 } },
      'claude-haiku-5-5': { input: 7, output: 8 },
    });
    const camel = { input: 1, output: 5, cacheRead: 0.1, cacheWrite: 1.25, cacheWrite1h: 2 };
    expect(priceOf('my-model', prices)).toEqual({
      ...camel,
      long: { ...camel, input: 3, aboveInputTokens: 100 },
    });
    expect(priceOf('claude-haiku-5-5', prices)).toEqual({ input: 7, output: 8 });
    expect(priceOf('claude-sonnet-5-5', prices)).toBe(DEFAULT_PRICES['claude-sonnet-5-5']);
  });

  it('is dated, and makes sense for every model', () => {
    expect(PRICES_AS_OF).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    for (const [model, { input, output, cacheRead = input }] of Object.entries(DEFAULT_PRICES)) {
      expect(output, model).toBeGreaterThan(input);
      expect(cacheRead, model).toBeLessThan(input);
    }
  });
});

describe('the cost of a call', () => {
  const price: ModelPrice = {
    input: 2,
    output: 10,
    cacheWrite: 2.5,
    cacheWrite1h: 4,
    cacheRead: 0.2,
    long: { aboveInputTokens: 100_000, input: 4, output: 15 },
  };
  it.each([
    [{ input: 1_000_000 / 20 }, 0.1],
    [{ output: 100_000 }, 1],
    [{ cacheWrite: 40_000 }, 0.1],
    [{ cacheWrite1h: 50_000 }, 0.2],
    [{ cacheRead: 100_000 }, 0.02],
    // One token more, and every token has another price; caches cost as input where nothing else is said.
    [{ cacheRead: 100_001, output: 100_000 }, 0.400004 + 1.5],
  ])('of %o is $%f', (tokens, usd) => {
    expect(costOf({ ...NO_TOKENS, ...tokens }, price)).toBeCloseTo(usd, 9);
  });

  it('is never more than the worst case said before it', () => {
    const part = fc.integer({ min: 0, max: 300_000 });
    const rate = fc.double({ min: 0, max: 100, noNaN: true });
    const rates = { input: rate, output: rate, cacheWrite: rate, cacheWrite1h: rate, cacheRead: rate };
    const prices = fc.record({ ...rates, long: fc.record({ ...rates, aboveInputTokens: part }) });
    fc.assert(
      fc.property(
        part,
        part,
        part,
        part,
        part,
        prices,
        (input, output, cacheWrite, cacheWrite1h, cacheRead, of) => {
          const all = { input: input + cacheWrite + cacheWrite1h + cacheRead, output };
          const cost = costOf({ input, output, cacheWrite, cacheWrite1h, cacheRead }, of);
          expect(cost).toBeLessThanOrEqual(worstCostOf(all, of) * (1 + 1e-12) + 1e-12);
        },
      ),
    );
  });
});

describe('an estimate', () => {
  const seen = { tokens: null, requestBytes: 400, written: 0, streamedMs: 0, maxOutputTokens: 1_000 };
  it.each([
    ['the request alone', seen, { input: 100, output: 0 }],
    ['what was written', { ...seen, written: 300 }, { input: 100, output: 100 }],
    ['the time it took', { ...seen, streamedMs: 10_000 }, { input: 100, output: 600 }],
    ['no more than was allowed', { ...seen, streamedMs: 1e9 }, { input: 100, output: 1_000 }],
    [
      'what the provider told',
      { ...seen, tokens: { ...NO_TOKENS, input: 7, output: 2_000 }, written: 300 },
      { input: 7, output: 2_000 },
    ],
  ])('goes by %s', (_by, given, expected) => {
    expect(estimate(given)).toEqual({ ...NO_TOKENS, ...expected });
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  it.each([
    ['3', 3_000],
    ['0', 0],
    ['1.5', 1_500],
    ['Thu, 01 Jan 2026 00:00:09 GMT', 9_000],
    ['Thu, 01 Jan 2026 00:00:00 GMT', 0],
    ['Wed, 31 Dec 2025 00:00:00 GMT', null],
    ['-1', null],
    ['soon', null],
    [' ', null],
    [undefined, null],
  ])('%s is %s ms', (value, ms) => {
    expect(retryAfterMs(value, now)).toBe(ms);
  });
});

describe('a stream of events', () => {
  it('is cut where events end, however it comes, and loses nothing but an event that breaks off', async () => {
    const line = fc.constantFrom('data: {"a":1}', 'event: ping', ': note', 'data: ä€😀', 'data: ');
    const event = fc.tuple(fc.array(line, { minLength: 1, maxLength: 3 }), fc.constantFrom('\n', '\r\n'));
    await fc.assert(
      fc.asyncProperty(fc.array(event), fc.array(fc.integer({ min: 1, max: 9 })), async (events, sizes) => {
        const whole = events.map(([lines, end]) => lines.join(end) + end + end).join('');
        const bytes = Buffer.from(`${whole}data: broken off`);
        const chunks: Buffer[] = [];
        for (let at = 0, next = 0; at < bytes.length; next += 1) {
          const size = sizes[next % (sizes.length || 1)] ?? 5;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        let seen = '';
        for await (const piece of wholeEvents(Readable.from(chunks))) {
          seen += piece.toString('utf8');
          expect(seen).toMatch(/(\n|\r\n)\1$/);
        }
        expect(seen).toBe(whole);
      }),
    );
  });
});
