import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createValueMask } from './value-mask.ts';

const VALUE = 'pläin-secret-0042';
const { text, sameLength } = createValueMask([VALUE, 'short', 'octo:p4ssw0rd-of-octo']);

describe('the mask of known values', () => {
  it.each([
    ['as it is', VALUE],
    ['for a URL', encodeURIComponent(VALUE)],
    ['in base64', Buffer.from(VALUE).toString('base64')],
    ['in hexadecimal digits', Buffer.from(VALUE).toString('hex')],
    ['as the password of a name', 'p4ssw0rd-of-octo'],
  ])('hides a value %s', (_, form) => {
    expect(text(`a ${form} b ${form}`)).not.toContain(form);
    expect(text(`a ${form} b`)).toMatch(/^a \[redacted\] b$/);
  });

  it('hides the beginning of a value where a text was cut', () => {
    expect(text(`a ${VALUE.slice(0, 9)}`)).toBe('a [redacted]');
    expect(text(`a ${VALUE.slice(0, 9)} b`)).toBe(`a ${VALUE.slice(0, 9)} b`);
    expect(text(`a ${VALUE.slice(0, 7)}`)).toBe(`a ${VALUE.slice(0, 7)}`);
  });

  it('leaves everything else, and values that are like any word', () => {
    for (const other of ['', 'short', 'octo', 'nothing to see here'])
      expect([text(other), sameLength(other)]).toEqual([other, other]);
  });

  it('keeps the number of bytes where it has to', () => {
    const parts = fc.array(
      fc.oneof(fc.constant(VALUE), fc.constant(VALUE.slice(0, 8)), fc.string({ unit: 'grapheme' })),
    );
    fc.assert(
      fc.property(parts, (pieces) => {
        const whole = pieces.join('');
        const masked = sameLength(whole);
        expect(Buffer.byteLength(masked)).toBe(Buffer.byteLength(whole));
        expect(masked).not.toContain(VALUE);
      }),
    );
  });
});
