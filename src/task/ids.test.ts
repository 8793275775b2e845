import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIdSource, isUlid, timeOfId } from './ids.ts';

const T0 = Date.parse('2030-01-01T00:00:00.000Z');

describe('ids', () => {
  it('are ULIDs that tell their time (T3)', () => {
    const id = createIdSource(() => T0)();
    expect(isUlid(id)).toBe(true);
    expect(timeOfId(id)).toBe(T0);
  });

  it.each([
    '',
    'x',
    '01arz3ndektsv4rrffq69g5fav',
    '81ARZ3NDEKTSV4RRFFQ69G5FAV',
    '01ARZ3NDEKTSV4RRFFQ69G5FAI',
    '01ARZ3NDEKTSV4RRFFQ69G5FAV\n',
    '01ARZ3NDEKTSV4RRFFQ69G5FAVV',
  ])('are not %j', (text) => {
    expect(isUlid(text)).toBe(false);
  });

  it('always grow, however the clock moves (T3)', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5_000, max: 5_000 }), { maxLength: 200 }), (steps) => {
        let at = T0;
        const newId = createIdSource(() => at);
        let last = newId();
        for (const step of steps) {
          at += step;
          const next = newId();
          expect(next > last && isUlid(next)).toBe(true);
          last = next;
        }
      }),
    );
  });

  it('go on after the greatest that is known, also when the clock is behind it', () => {
    const known = createIdSource(() => T0 + 86_400_000)();
    const newId = createIdSource(() => T0, known);
    const [first, second] = [newId(), newId()];
    expect(known < first && first < second).toBe(true);
    expect(createIdSource(() => T0 + 2 * 86_400_000, known)() > second).toBe(true);
  });
});
