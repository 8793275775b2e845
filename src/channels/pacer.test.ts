import { describe, expect, it } from 'vitest';
import { createPacer } from './pacer.ts';

function pacerAt(start: number) {
  let at = start;
  const pacer = createPacer({ now: () => at, intervalMs: 1_000, burst: 3 });
  return { pacer, advance: (ms: number) => (at += ms) };
}

describe('the pacer', () => {
  it('lets a few go at once, and then one an interval', () => {
    const { pacer } = pacerAt(10_000);
    const times = ['a', 'b', 'c', 'd', 'e'].map((id) => pacer.reserve('C1', id));
    expect(times).toEqual([10_000, 10_000, 10_000, 11_000, 12_000]);
    expect(pacer.reserve('C2', 'f')).toBe(10_000);
  });

  it('keeps the time of whoever waits, and lets it go then', () => {
    const { pacer, advance } = pacerAt(0);
    for (const id of ['a', 'b', 'c', 'd', 'e']) pacer.reserve('C1', id);
    expect(pacer.reserve('C1', 'e')).toBe(2_000);
    advance(2_000);
    expect(pacer.reserve('C1', 'e')).toBe(2_000);
    expect(pacer.reserve('C1', 'f')).toBe(3_000);
  });

  it('holds everybody of a key as long as the service said', () => {
    const { pacer, advance } = pacerAt(0);
    pacer.hold('C1', 5_000);
    expect(pacer.reserve('C1', 'a')).toBe(5_000);
    expect(pacer.reserve('C2', 'b')).toBe(0);
    advance(5_000);
    expect(pacer.reserve('C1', 'a')).toBeLessThanOrEqual(5_000);
    expect(pacer.reserve('C1', 'c')).toBe(5_000);
  });

  it('forgets a long silence', () => {
    const { pacer, advance } = pacerAt(0);
    for (const id of ['a', 'b', 'c']) pacer.reserve('C1', id);
    advance(60_000);
    expect(['d', 'e', 'f', 'g'].map((id) => pacer.reserve('C1', id))).toEqual([
      60_000, 60_000, 60_000, 61_000,
    ]);
  });
});
