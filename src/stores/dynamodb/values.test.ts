import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fromItem, toItem } from './values.ts';

const anything = z.object({ field: z.unknown() });
const back = (field: unknown): unknown => fromItem(anything, toItem({ field })).field;

describe('values of DynamoDB', () => {
  it('come back as they were, whatever they are', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        expect(back(value)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 40 },
    );
  });

  it.each(['', '\ud800 half', '\u0000', 1e300, 1e-300, -0.5, null, true, { a: { b: [] } }])(
    'hold %j',
    (value) => {
      expect(back(value)).toEqual(value);
    },
  );

  it('are plain where they can be, so that people and conditions can read them', () => {
    expect(toItem({ a: 'x', b: 1.5, c: false, d: null, e: undefined })).toEqual({
      a: { S: 'x' },
      b: { N: '1.5' },
      c: { BOOL: false },
      d: { NULL: true },
    });
  });

  it('that are not a record of this program are said to be damaged', () => {
    expect(() => fromItem(z.object({ status: z.enum(['a']) }), { status: { S: 'b' } })).toThrow(
      expect.objectContaining({ code: 'INTERNAL_ERROR', message: expect.stringContaining('status') }),
    );
  });
});
